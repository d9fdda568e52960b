"""The `live` channel of `/ws/`: every tracked booking, for staff."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.ws.test_shared_connection import connect, ended, without_message
from tests.support.actors import Actors
from tests.support.live import Newcomer, check_error, join
from tests.support.sockets import Frame, Socket
from tests.support.stack import Stack

NORTH_POLE = [-180, 89, 180, 90]


async def watch(socket: Socket, **options: Any) -> dict[str, Frame]:
    """Subscribe; the bookings of the pages."""
    await socket.send({"type": "subscribe", "channel": "live", **options})
    pages = [
        frame
        for frame in await socket.frames_until(lambda frame: frame["type"] == "live_page" and frame.get("last", False))
        if frame["type"] == "live_page"
    ]
    assert [page.get("last") for page in pages] == [None] * (len(pages) - 1) + [True]
    return {booking["booking_id"]: booking for page in pages for booking in page["bookings"]}


async def of_booking(socket: Socket, booking: str, kind: str) -> Frame:
    """The next frame of that kind about the booking."""
    frames = await socket.frames_until(lambda frame: frame["type"] == kind and frame["booking_id"] == booking)
    return frames[-1]


async def test_pages_have_every_tracked_booking_and_then_its_events_and_locations_come(
    live: Stack, people: Actors
) -> None:
    tracked = {status: people.new_booking(status) for status in ("confirmed", "on_the_way", "arrived")}
    others = [people.new_booking(status) for status in ("requested", "completed", "cancelled")]
    people.worker.track(tracked["on_the_way"], 28.5, 77.0)
    async with await connect(live, people.admin.token, pod=1) as socket:
        found = await watch(socket, max_rate=10)
        assert {status: found[booking]["status"] for status, booking in tracked.items()} == {
            status: status for status in tracked
        }
        assert not found.keys() & set(others)
        assert found[tracked["confirmed"]] == {
            "booking_id": tracked["confirmed"], "seq": 3, "status": "confirmed", "location": None,
        }  # fmt: skip
        assert (found[tracked["on_the_way"]]["location"]["lat"], found[tracked["on_the_way"]]["seq"]) == (28.5, 4)
        people.worker.status(tracked["confirmed"], "on_the_way")
        assert (await of_booking(socket, tracked["confirmed"], "booking_status"))["seq"] == 4
        people.worker.track(tracked["confirmed"], 28.6, 77.1)
        assert (await of_booking(socket, tracked["confirmed"], "location_update"))["lat"] == 28.6
        # One that becomes tracked, and one that ends.
        people.admin.assign(others[0], people.worker.id)
        assert (await of_booking(socket, others[0], "booking_status"))["status"] == "confirmed"
        people.worker.status(tracked["arrived"], "completed")
        assert (await of_booking(socket, tracked["arrived"], "booking_status"))["status"] == "completed"
    async with await connect(live, people.admin.token, pod=1) as socket:
        found = await watch(socket)
        assert tracked["arrived"] not in found
        assert found[others[0]]["status"] == "confirmed"


async def test_of_many_locations_the_newest_comes_at_the_rate_that_was_asked_for_and_every_event(
    live: Stack, people: Actors
) -> None:
    booking = people.new_booking("confirmed")
    async with await connect(live, people.admin.token) as socket:
        await watch(socket, max_rate=0.5)
        people.worker.status(booking, "on_the_way")
        for number in range(10):
            people.worker.track(booking, 28.0 + number / 100, 77.0)
        people.worker.status(booking, "arrived")
        people.worker.track(booking, 29.0, 77.0)
        while True:
            last = await of_booking(socket, booking, "location_update")
            if last["lat"] == 29.0:
                break
        frames = [frame for frame in socket.frames if frame.get("booking_id") == booking]
        assert [frame["status"] for frame in frames if frame["type"] == "booking_status"] == ["on_the_way", "arrived"]
        shown = [frame["lat"] for frame in frames if frame["type"] == "location_update"]
        assert shown == sorted(shown)
        assert len(shown) < 11


async def test_a_box_shows_what_is_in_it_and_tells_what_left(live: Stack, people: Actors) -> None:
    inside, outside = people.new_booking("on_the_way"), people.new_booking("on_the_way")
    people.worker.track(inside, 89.5, 10.0)
    async with await connect(live, people.admin.token) as socket:
        found = await watch(socket, bbox=NORTH_POLE, max_rate=10)
        assert inside in found
        assert outside not in found
        people.worker.track(inside, 28.0, 10.0)
        assert await of_booking(socket, inside, "live_left") == {"type": "live_left", "booking_id": inside}
        people.worker.status(inside, "arrived")
        people.worker.track(outside, 89.1, -10.0)
        # First its state, then where it is.
        assert (await of_booking(socket, outside, "booking_status"))["status"] == "on_the_way"
        assert (await of_booking(socket, outside, "location_update"))["lat"] == 89.1
        people.worker.status(outside, "arrived")
        assert (await of_booking(socket, outside, "booking_status"))["status"] == "arrived"
        assert not [each for each in socket.frames if each.get("status") == "arrived" and each["booking_id"] == inside]


async def test_only_staff_may_and_only_while_they_are(live: Stack, people: Actors, newcomer: Newcomer) -> None:
    async with await connect(live, people.employer.token) as socket:
        await socket.send({"type": "subscribe", "channel": "live"})
        assert without_message(await socket.next_frame()) == {"type": "unsubscribed", "channel": "live", "code": 4003}
        assert await socket.synchronized() == []
    leaving = newcomer("admin")
    async with await connect(live, leaving.token, pod=1) as socket:
        await watch(socket)
        leaving.logout()
        assert (await socket.closed(2))[0] == 4001


async def test_a_worker_learns_that_staff_watch_all_bookings(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way")
    async with await join(live.booking_url(booking), people.worker.token) as worker:
        await worker.send({"type": "location", "lat": 28.5, "lng": 77.5, "id": "1"})
        assert (await worker.next_of("location_accepted"))["next_in_ms"] == 15_000
        async with await connect(live, people.admin.token, pod=1) as socket:
            await watch(socket)
            assert await worker.next_of("pace") == {"type": "pace", "booking_id": booking, "next_in_ms": 0}
            await worker.send({"type": "location", "lat": 28.6, "lng": 77.5, "id": "2"})
            assert (await worker.next_of("location_accepted"))["next_in_ms"] == 0


async def test_unsubscribing_ends_it_and_subscribing_again_sends_pages_again(live: Stack, people: Actors) -> None:
    booking = people.new_booking("confirmed")
    async with await connect(live, people.admin.token) as socket:
        for _ in range(2):
            assert booking in await watch(socket)
        await socket.send({"type": "unsubscribe", "channel": "live"})
        assert await socket.next_of("unsubscribed") == {**ended(1000), "channel": "live"}
        people.worker.status(booking, "on_the_way")
        await socket.send({"type": "subscribe", "channel": "booking", "booking_id": booking})
        frames = await socket.frames_until(lambda frame: frame["type"] == "connection_established")
        assert [frame["type"] for frame in frames] == ["connection_established"]


@pytest.mark.parametrize(
    "options",
    [{"max_rate": 0}, {"max_rate": "1"}, {"max_rate": True}, {"bbox": [1, 2, 3]}, {"bbox": "all"},
     {"bbox": [0, 10, 1, 9]}, {"bbox": [0, 0, 181, 1]}, {"bbox": [0, 0, None, 1]}],
    ids=str,
)  # fmt: skip
async def test_a_wrong_box_or_rate_is_invalid_message(live: Stack, people: Actors, options: dict[str, Any]) -> None:
    async with await connect(live, people.admin.token) as socket:
        await socket.send({"type": "subscribe", "channel": "live", **options})
        assert check_error(await socket.next_frame()) == "invalid_message"
