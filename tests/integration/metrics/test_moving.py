"""Each metric moves when its thing happens, and by as much."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.metrics.conftest import Measured
from tests.support.eventually import eventually_async
from tests.support.metrics import Scrape
from tests.support.sockets import Socket
from tests.support.stack import call_in


class Change:
    """How much a series has grown since this was made."""

    def __init__(self, scrape: Callable[[], Scrape]) -> None:
        self._scrape = scrape
        self._before = scrape()

    def of(self, name: str, **labels: str) -> float:
        return self._scrape()(name, **labels) - self._before(name, **labels)

    async def comes_to(self, wanted: float, name: str, **labels: str) -> None:
        await eventually_async(lambda: self.of(name, **labels) == wanted, 30, f"{name}{labels} grows by {wanted}")


async def watch(measured: Measured, booking: str, since: int | None = None) -> Socket:
    socket = await Socket.connect(
        measured.stack.booking_url(booking), token=measured.actors.employer.token, since=since
    )
    await socket.joined()
    return socket


async def on_thread(call: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.to_thread(call, *arguments)


async def test_an_event_is_measured_at_every_stage_and_once_for_each_connection(measured: Measured) -> None:
    booking = await on_thread(measured.actors.new_booking, "confirmed")
    async with await watch(measured, booking), await watch(measured, booking) as second:
        ws, http = Change(measured.ws), Change(measured.http)
        assert measured.ws()("hunarmitra_ws_groups") >= 1
        await on_thread(measured.actors.worker.status, booking, "on_the_way")
        await second.next_of("booking_status")
        await on_thread(measured.actors.worker.track, booking, 28.6, 77.2)
        await second.next_of("location_update")
        latency = "hunarmitra_event_latency_seconds_count"
        for lane in ("status", "location"):
            await ws.comes_to(2, "hunarmitra_ws_deliveries_total", lane=lane)
            await ws.comes_to(1, latency, stage="published_to_pod", lane=lane)
            await ws.comes_to(2, latency, stage="pod_to_socket", lane=lane)
            await ws.comes_to(2, latency, stage="commit_to_socket", lane=lane)
        assert http.of(latency, stage="commit_to_published", lane="location") == 1
        assert http.of(latency, stage="commit_to_published", lane="status") >= 1
        assert 0 < ws.of("hunarmitra_event_latency_seconds_sum", stage="commit_to_socket", lane="status") < 20
        assert http.of("hunarmitra_publish_messages_total", backend="channel_layer") >= 2
        assert http.of("hunarmitra_publish_duration_seconds_count", backend="channel_layer") == 2
        assert http.of("hunarmitra_publish_failures_total", backend="channel_layer") == 0
        route = "/api/v1/bookings/<id:booking_id>/status/"
        assert http.of("hunarmitra_http_requests_total", method="PATCH", route=route, status="2xx") == 1
        assert http.of("hunarmitra_http_request_duration_seconds_count", method="PATCH", route=route) == 1


async def test_connections_are_counted_as_they_come_resume_and_go(measured: Measured) -> None:
    booking = await on_thread(measured.actors.new_booking, "on_the_way")
    await eventually_async(lambda: measured.ws()("hunarmitra_ws_connections", kind="booking") == 0, 30, "no other's")
    ws = Change(measured.ws)
    socket = await watch(measured, booking)
    await ws.comes_to(1, "hunarmitra_ws_connections", kind="booking")
    await ws.comes_to(1, "hunarmitra_ws_resumes_total", outcome="fresh")
    await ws.comes_to(1, "hunarmitra_ws_handshake_duration_seconds_count")
    await socket.close(1000)
    await ws.comes_to(0, "hunarmitra_ws_connections", kind="booking")
    await ws.comes_to(1, "hunarmitra_ws_closes_total", code="1000")
    async with await watch(measured, booking, since=1) as resumed:
        seqs = (await resumed.until_seq(4))[-1]["seq"]
        assert seqs == 4
        await ws.comes_to(1, "hunarmitra_ws_resumes_total", outcome="replayed")
        await ws.comes_to(3, "hunarmitra_ws_resumed_events_sum")
        await ws.comes_to(3, "hunarmitra_replayed_event_age_seconds_count")
    async with await watch(measured, booking, since=99):
        await ws.comes_to(1, "hunarmitra_ws_resumes_total", outcome="resync")
    await ws.comes_to(3, "hunarmitra_ws_connects_total", kind="booking")
    await ws.comes_to(3, "hunarmitra_ws_handshakes_total", outcome="joined")
    stranger = await Socket.connect(measured.stack.booking_url(booking), token="nobody's")
    assert (await stranger.closed())[0] == 4001
    await ws.comes_to(1, "hunarmitra_ws_handshakes_total", outcome="refused")
    await ws.comes_to(1, "hunarmitra_ws_closes_total", code="4001")


async def test_a_shared_connection_counts_once_and_each_of_its_subscriptions(measured: Measured) -> None:
    bookings = [await on_thread(measured.actors.new_booking, "on_the_way") for _ in range(3)]
    ws = Change(measured.ws)
    url, token = measured.stack.shared_url(), measured.actors.employer.token
    async with await Socket.connect(url, token=token) as socket:
        await socket.send({"type": "subscribe", "channel": "booking", "booking_ids": bookings})
        await socket.send({"type": "subscribe", "channel": "notifications"})
        for _ in range(4):
            await socket.next_of("connection_established")
        await ws.comes_to(1, "hunarmitra_ws_connections", kind="shared")
        await ws.comes_to(1, "hunarmitra_ws_connects_total", kind="shared")
        await ws.comes_to(3, "hunarmitra_ws_subscriptions", channel="booking")
        await ws.comes_to(1, "hunarmitra_ws_subscriptions", channel="notifications")
        await socket.send({"type": "unsubscribe", "channel": "booking", "booking_ids": bookings[:2]})
        await ws.comes_to(1, "hunarmitra_ws_subscriptions", channel="booking")
    await ws.comes_to(0, "hunarmitra_ws_subscriptions", channel="booking")
    await ws.comes_to(0, "hunarmitra_ws_connections", kind="shared")
    await ws.comes_to(1, "hunarmitra_ws_handshakes_total", outcome="joined")


async def test_acknowledgements_are_asked_for_and_timed_and_cost_the_client_nothing(measured: Measured) -> None:
    booking = await on_thread(measured.actors.new_booking, "confirmed")
    async with await watch(measured, booking) as socket:
        ws = Change(measured.ws)
        await on_thread(measured.actors.worker.status, booking, "on_the_way")
        event = await socket.next_of("booking_status")
        assert event["ack"] is True
        await ws.comes_to(1, "hunarmitra_ws_acks_requested_total")
        for seq in (event["seq"], event["seq"], event["seq"] + 1):
            await socket.send({"type": "ack", "seq": seq})
        assert await socket.synchronized() == []
        assert ws.of("hunarmitra_ws_acks_total") == 1
        assert ws.of("hunarmitra_ws_acknowledged_latency_seconds_count") == 1
        assert 0 < ws.of("hunarmitra_ws_acknowledged_latency_seconds_sum") < 20
        # The log has the same event, and asks nobody.
        assert "ack" not in (await on_thread(measured.actors.employer.events, booking, 3))["results"][0]
    async with await watch(measured, booking, since=3) as late:
        assert "ack" not in await late.next_of("booking_status")


async def test_an_acknowledgement_of_a_shared_connection_names_the_channel(measured: Measured) -> None:
    booking = await on_thread(measured.actors.new_booking, "confirmed")
    async with await Socket.connect(measured.stack.shared_url(), token=measured.actors.employer.token) as socket:
        for address in ({"channel": "booking", "booking_id": booking}, {"channel": "notifications"}):
            await socket.send({"type": "subscribe", **address})
            await socket.next_of("connection_established")
        ws = Change(measured.ws)
        await on_thread(measured.actors.worker.status, booking, "on_the_way")
        await ws.comes_to(2, "hunarmitra_ws_acks_requested_total")
        await eventually_async(lambda: len(socket.seqs()) == 2, 30, "both events")
        [event], [notification] = socket.of_type("booking_status"), socket.of_type("notification")
        await socket.send({"type": "ack", "booking_id": booking, "seq": event["seq"]})
        await socket.send({"type": "ack", "channel": "notifications", "seq": notification["seq"]})
        await ws.comes_to(2, "hunarmitra_ws_acks_total")


@pytest.mark.parametrize("seq", [None, "4", 0, -1, 1.5, True, [1]])
async def test_a_bad_acknowledgement_is_told_what_it_lacks(measured: Measured, seq: object) -> None:
    booking = await on_thread(measured.actors.new_booking, "requested")
    async with await watch(measured, booking) as socket:
        await socket.send_raw(json.dumps({"type": "ack", "seq": seq}))
        frame = await socket.next_frame()
        assert (frame["code"], frame["message"]) == (
            "invalid_message",
            "The message needs seq, a whole number from 1.",
        )
        assert await socket.synchronized() == []


def write_an_event_without_publishing(booking_id: str) -> None:
    """Write event 4 as a process does that dies after its commit."""
    import django

    django.setup()
    from django.db import transaction
    from django.db.models import F
    from django.utils import timezone

    from hunarmitra.bookings.models import Booking, BookingEvent

    with transaction.atomic():
        Booking.objects.filter(pk=booking_id).update(seq=F("seq") + 1)
        BookingEvent.objects.create(
            booking_id=booking_id,
            seq=4,
            event_type="booking_on_the_way",
            status="on_the_way",
            actor="Test",
            created_at=timezone.now(),
        )


async def test_what_no_message_brought_is_told_apart(measured: Measured) -> None:
    """The relay publishes what was written and not published; the comparison finds what was never published."""
    booking = await on_thread(measured.actors.new_booking, "confirmed")
    async with await watch(measured, booking) as socket:
        ws, relay = Change(measured.ws), Change(measured.relay)
        await asyncio.to_thread(
            call_in, measured.stack.environment, write_an_event_without_publishing, booking_id=booking
        )
        await socket.until_seq(4)
        await ws.comes_to(1, "hunarmitra_ws_gaps_total", found_by="comparison")
        await ws.comes_to(1, "hunarmitra_ws_events_recovered_total")
        await ws.comes_to(1, "hunarmitra_replayed_event_age_seconds_count")
        await relay.comes_to(1, "hunarmitra_relay_published_total")
        assert measured.relay()("hunarmitra_relay_last_success_timestamp_seconds") > 1e9


async def test_what_is_turned_away_is_counted_by_its_limit(measured: Measured) -> None:
    booking = await on_thread(measured.actors.new_booking, "on_the_way")
    http = Change(measured.http)
    await on_thread(measured.actors.worker.track, booking, 28.6, 77.2)
    await on_thread(lambda: measured.actors.worker.track(booking, 28.6, 77.2, expect=429))
    assert http.of("hunarmitra_http_rate_limited_total", limit="position") == 1
    assert http.of("hunarmitra_http_responses_total", code="429") == 1


async def test_the_hub_shows_that_it_lives(measured: Measured) -> None:
    ws = measured.ws()
    assert ws("hunarmitra_ws_subscriber_connected") == 1
    later = Change(measured.ws)
    await eventually_async(lambda: later.of("hunarmitra_ws_subscriber_heard_timestamp_seconds") > 0, 30, "a heartbeat")
    await eventually_async(lambda: later.of("hunarmitra_ws_comparison_success_timestamp_seconds") > 0, 30, "comparing")
    await eventually_async(lambda: later.of("hunarmitra_ws_event_loop_delay_seconds_count") > 0, 30, "samples")
    assert 0 < measured.ws()("hunarmitra_ws_subscriber_lag_seconds") < 10
    assert ws("hunarmitra_ws_connections_limit") == 10000
