"""`/ws/`: one connection, many subscriptions. What each of them brings is tested by the suites of the two endpoints."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from bench.dispatcher import Received, SubscribedDispatcher
from tests.support.actors import Actors
from tests.support.live import Newcomer, check_error, join, on_every_server, rejection
from tests.support.shell import Shell
from tests.support.sockets import Frame, Socket
from tests.support.stack import Stack

MOST = 20
MOST_OF_STAFF = 500


async def connect(live: Stack, token: str, pod: int = 0) -> Socket:
    socket = await Socket.connect(live.shared_url(pod), token=token)
    assert (await socket.next_frame())["type"] == "connected"
    return socket


async def subscribe(socket: Socket, booking: str | None, since: int | None = None) -> Frame:
    """Subscribe to a booking, or to the notifications; the first frame of the subscription."""
    address = {"channel": "notifications"} if booking is None else {"channel": "booking", "booking_id": booking}
    await socket.send({"type": "subscribe", **address, **({} if since is None else {"since": since})})
    return await socket.next_of("connection_established")


def ended(code: int, booking: str | None = None) -> dict[str, Any]:
    address = {"channel": "notifications"} if booking is None else {"channel": "booking", "booking_id": booking}
    return {"type": "unsubscribed", **address, "code": code}


def without_message(frame: Frame) -> Frame:
    assert frame["message"]
    return {key: value for key, value in frame.items() if key != "message"}


@on_every_server
async def test_the_first_frame_tells_how_many_subscriptions_are_allowed(live: Stack, people: Actors) -> None:
    for person, most in ((people.employer, MOST), (people.admin, MOST_OF_STAFF)):
        async with await Socket.connect(live.shared_url(), token=person.token) as socket:
            first = await socket.next_frame()
            assert list(first) == [
                "type", "message", "heartbeat_seconds", "expires_at", "server_time", "max_subscriptions",
            ]  # fmt: skip
            assert (first["type"], first["heartbeat_seconds"], first["max_subscriptions"]) == ("connected", 25, most)


@on_every_server
async def test_one_connection_brings_several_bookings_and_the_notifications(live: Stack, people: Actors) -> None:
    bookings = [people.new_booking("confirmed") for _ in range(3)]
    async with await connect(live, people.employer.token, pod=1) as socket:
        for booking in bookings:
            assert (await subscribe(socket, booking))["booking_id"] == booking
        first = await subscribe(socket, None)
        assert first["channel"] == "notifications"
        for booking in bookings:
            people.worker.status(booking, "on_the_way")
            people.worker.track(booking, 28.5, 77.0)
        wanted = {*((kind, booking) for kind in ("booking_status", "location_update") for booking in bookings)}
        seen: set[tuple[str, str]] = set()
        while not wanted <= seen or len(socket.of_type("notification")) < 3:
            frame = await socket.next_frame()
            seen.add((frame["type"], frame.get("booking_id", "")))
        assert [frame["channel"] for frame in socket.of_type("notification")] == ["notifications"] * 3
        assert [frame["seq"] - first["seq"] for frame in socket.of_type("notification")] == [1, 2, 3]


async def test_a_list_is_one_request_with_a_number_for_each_booking(live: Stack, people: Actors) -> None:
    bookings = [people.new_booking("on_the_way") for _ in range(3)]
    foreign = str(people.stranger.create_booking()["id"])
    since = {bookings[0]: 0, bookings[1]: 3, bookings[2].upper(): "x"}
    async with await connect(live, people.employer.token) as socket:
        message = {"type": "subscribe", "channel": "booking", "booking_ids": [*bookings, foreign], "since": since}
        await socket.send(message)
        await socket.frames_until(lambda frame: frame["type"] == "unsubscribed")
        frames = [frame for frame in socket.frames if frame.get("booking_id") == bookings[0]]
        assert [frame.get("seq") for frame in frames] == [4, 1, 2, 3, 4]
        frames = [frame for frame in socket.frames if frame.get("booking_id") == bookings[1]]
        assert [(frame["type"], frame["seq"]) for frame in frames] == [
            ("connection_established", 4),
            ("booking_status", 4),
        ]
        frames = [frame for frame in socket.frames if frame.get("booking_id") == bookings[2]]
        assert [frame["type"] for frame in frames] == ["connection_established", "resync_required"]
        assert without_message(socket.frames[-1]) == ended(4003, foreign)
        assert await socket.synchronized() == []


async def test_a_refused_subscription_tells_the_code_and_the_connection_lives(live: Stack, people: Actors) -> None:
    unknown = str(uuid4())
    foreign = str(people.stranger.create_booking()["id"])
    for person, codes in ((people.employer, (4003, 4003, 4003)), (people.admin, (4004, 4004))):
        async with await connect(live, person.token) as socket:
            for booking, code in zip((unknown, "no-uuid", foreign), codes, strict=False):
                await socket.send({"type": "subscribe", "channel": "booking", "booking_id": booking})
                assert without_message(await socket.next_frame()) == ended(code, booking)
            assert (await subscribe(socket, people.new_booking()))["status"] == "confirmed"


@on_every_server
async def test_half_a_character_in_an_id_is_answered(live: Stack, people: Actors) -> None:
    """JSON can spell half a surrogate pair, and UTF-8 cannot encode it."""
    async with await connect(live, people.employer.token) as socket:
        for kind, code in (("subscribe", 4003), ("unsubscribe", 1000)):
            await socket.send({"type": kind, "channel": "booking", "booking_id": "\ud800"})
            refused = await socket.next_of("unsubscribed")
            assert (refused["booking_id"], refused["code"]) == ("\ud800", code)
        assert await socket.synchronized() == []


async def test_a_right_that_ends_ends_one_subscription_and_no_other(
    live: Stack, people: Actors, newcomer: Newcomer
) -> None:
    worker = newcomer("worker")
    lost, kept = people.new_booking(), people.new_booking()
    for booking in (lost, kept):
        people.admin.assign(booking, worker.id)
    async with await connect(live, worker.token, pod=1) as socket:
        for each in (lost, kept, None):
            await subscribe(socket, each)
        people.admin.assign(lost, people.worker.id)
        frame = await socket.next_of("unsubscribed", timeout=2)
        assert without_message(frame) == ended(4003, lost)
        people.admin.status(lost, "cancelled")
        worker.status(kept, "on_the_way")
        assert (await socket.next_of("booking_status"))["booking_id"] == kept
        assert not [each for each in socket.frames if each.get("status") == "cancelled" and "booking_id" in each]
        worker.logout()
        assert (await socket.closed(2))[0] == 4001
        assert check_error(socket.frames[-1]) == "unauthenticated"


async def test_subscribing_again_begins_anew_and_takes_no_second_place(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way")
    async with await connect(live, people.employer.token) as socket:
        for since in (None, 0, 2, 9):
            await subscribe(socket, booking, since)
            replayed = [] if since is None else list(range(since + 1, 5))
            frames = await socket.synchronized()
            if since is None or since <= 4:
                assert [frame["seq"] for frame in frames] == replayed
            else:
                assert [frame["type"] for frame in frames] == ["resync_required"]
        for _ in range(2):
            await socket.send({"type": "subscribe", "channel": "booking", "booking_ids": [booking] * MOST})
            await socket.next_of("connection_established")
        people.worker.status(booking, "arrived")
        assert [frame["type"] for frame in await socket.until_seq(5)] == ["booking_status"]
        assert await socket.synchronized() == []


async def test_after_unsubscribe_nothing_more_comes_and_another_may_be_subscribed(live: Stack, people: Actors) -> None:
    booking, other = people.new_booking("confirmed"), people.new_booking("confirmed")
    async with await connect(live, people.employer.token) as socket:
        for each in (booking, other, None):
            await subscribe(socket, each)
        await socket.send({"type": "unsubscribe", "channel": "booking", "booking_ids": [booking]})
        assert await socket.next_frame() == ended(1000, booking)
        await socket.send({"type": "unsubscribe", "channel": "notifications"})
        assert await socket.next_frame() == ended(1000)
        people.worker.status(booking, "on_the_way")
        people.worker.status(other, "on_the_way")
        assert (await socket.until_seq(4))[-1]["booking_id"] == other
        assert await socket.synchronized() == []
        # What was not subscribed is not subscribed afterwards, which is what was asked.
        await socket.send({"type": "unsubscribe", "channel": "booking", "booking_id": str(uuid4())})
        assert (await socket.next_frame())["code"] == 1000


async def test_one_subscription_above_the_limit_is_refused_4029(
    live: Stack, people: Actors, newcomer: Newcomer
) -> None:
    person = newcomer()
    bookings = [str(person.create_booking()["id"]) for _ in range(MOST + 1)]
    async with await connect(live, person.token) as socket:
        await socket.send({"type": "subscribe", "channel": "booking", "booking_ids": bookings})
        assert without_message(await socket.next_of("unsubscribed")) == ended(4029, bookings[-1])
        for _ in range(MOST):
            await socket.next_of("connection_established")
        await socket.send({"type": "unsubscribe", "channel": "booking", "booking_id": bookings[0]})
        await socket.next_of("unsubscribed")
        assert (await subscribe(socket, bookings[-1]))["booking_id"] == bookings[-1]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "subscribe"},
        {"type": "subscribe", "channel": "group"},
        {"type": "subscribe", "channel": "booking"},
        {"type": "subscribe", "channel": "booking", "booking_id": 7},
        {"type": "subscribe", "channel": "booking", "booking_ids": "all"},
        {"type": "subscribe", "channel": "booking", "booking_ids": [None]},
        {"type": "subscribe", "channel": "booking", "booking_ids": [], "since": 4},
        {"type": "subscribe", "channel": "notifications", "since": [4]},
        {"type": "subscribe", "channel": "notifications", "since": 1.5},
        {"type": "subscribe", "channel": "notifications", "since": True},
        {"type": "unsubscribe", "channel": "booking"},
        {"type": "location", "lat": 28.5, "lng": 77.0},
        {"type": "ack", "seq": 4},
    ],
    ids=str,
)
async def test_a_wrong_message_is_invalid_message(live: Stack, people: Actors, message: Frame) -> None:
    async with await connect(live, people.employer.token) as socket:
        await socket.send(message)
        assert check_error(await socket.next_frame()) == "invalid_message"
        assert await socket.synchronized() == []


async def test_a_message_about_a_channel_needs_its_subscription(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way")
    async with await connect(live, people.worker.token) as socket:
        for message in (
            {"type": "location", "booking_id": booking, "lat": 28.5, "lng": 77.0, "id": "7"},
            {"type": "ack", "booking_id": booking, "seq": 4},
            {"type": "ack", "channel": "notifications", "seq": 4},
            {"type": "mark_read", "id": str(uuid4())},
        ):
            await socket.send(message)
            frame = await socket.next_frame()
            assert (frame["code"], frame.get("id")) == (
                "not_subscribed",
                message.get("id") if "lat" in message else None,
            )
        await subscribe(socket, booking)
        await socket.send({"type": "location", "booking_id": booking, "lat": 95, "lng": 77.0, "id": "8"})
        frame = await socket.next_frame()
        assert (frame["code"], frame["id"], frame["booking_id"]) == ("invalid_message", "8", booking)


@pytest.mark.parametrize("path", ["booking", "notifications"])
async def test_the_two_endpoints_do_not_know_subscribe(live: Stack, people: Actors, path: str) -> None:
    url = live.notifications_url() if path == "notifications" else live.booking_url(people.new_booking())
    async with await join(url, people.employer.token) as socket:
        for kind in ("subscribe", "unsubscribe"):
            await socket.send({"type": kind, "channel": "notifications"})
            assert check_error(await socket.next_frame()) == "unknown_type"


@on_every_server
async def test_a_rejected_connection_is_told_why(live: Stack, people: Actors, newcomer: Newcomer) -> None:
    person = newcomer()
    assert await rejection(live.shared_url(), "wrong") == ("unauthenticated", 4001)
    assert await rejection(live.shared_url()) == ("unauthenticated", 4001)
    signed_out = person.token
    person.logout()
    assert await rejection(live.shared_url(), signed_out) == ("unauthenticated", 4001)
    async with await Socket.connect(live.shared_url(), token=people.employer.ticket(), how="ticket") as socket:
        assert (await socket.next_frame())["type"] == "connected"


def delete_booking(booking_id: str) -> None:
    from hunarmitra.bookings.models import Booking

    Booking.objects.filter(pk=booking_id).delete()


async def test_a_deleted_booking_ends_its_subscription(stack: Stack, actors: Actors) -> None:
    """The comparison with the database finds it, so this runs where the comparison has its usual interval."""
    booking, other = actors.new_booking(), actors.new_booking()
    async with await connect(stack, actors.employer.token) as socket:
        for each in (booking, other):
            await subscribe(socket, each)
        with Shell(stack) as shell:
            shell.call(delete_booking, booking_id=booking)
        assert without_message(await socket.next_of("unsubscribed")) == ended(4003, booking)
        actors.worker.status(other, "on_the_way")
        await socket.until_seq(4)


def create_requested_bookings(owner_id: str, count: int) -> list[str]:
    """Runs in the stack: through the API, it would take minutes."""
    from hunarmitra.bookings.models import Booking, BookingEvent
    from hunarmitra.common.clock import utc_now

    now = utc_now()
    made = [
        Booking(owner_id=owner_id, service="Plumbing", address="x", seq=1, created_at=now, updated_at=now)
        for _ in range(count)
    ]
    Booking.objects.bulk_create(made)
    keys = {"event_type": "booking_requested", "status": "requested", "actor": "x", "created_at": now}
    BookingEvent.objects.bulk_create(BookingEvent(booking=each, seq=1, **keys) for each in made)
    return [str(each.pk) for each in made]


@pytest.mark.slow
async def test_a_dispatcher_with_five_hundred_bookings_joins_all_of_them(
    live: Stack, people: Actors, shell: Shell
) -> None:
    """With as many messages as the ids need, which are not too many for the limit of messages."""
    bookings = shell.call(create_requested_bookings, owner_id=people.employer.id, count=MOST_OF_STAFF)
    async with await connect(live, people.admin.token) as socket:
        for start in range(0, MOST_OF_STAFF, 180):
            ids = bookings[start : start + 180]
            since = dict.fromkeys(ids, 0)
            await socket.send({"type": "subscribe", "channel": "booking", "booking_ids": ids, "since": since})
        while len(socket.of_type("booking_status")) < MOST_OF_STAFF:
            await socket.next_frame()
        assert {frame["booking_id"] for frame in socket.of_type("booking_status")} == set(bookings)
        assert len(socket.of_type("connection_established")) == MOST_OF_STAFF
        await socket.send({"type": "subscribe", "channel": "notifications"})
        assert (await socket.next_of("unsubscribed"))["code"] == 4029


def add_events(bookings: list[str], count: int) -> None:
    """Add so many events to each booking, all in turn; each turn is one transaction. Runs in the stack."""
    from django.db import transaction

    from hunarmitra.bookings.models import Booking, BookingEvent
    from hunarmitra.common.clock import utc_now
    from hunarmitra.outbox.on_commit import publish_on_commit

    keys = {"event_type": "booking_assigned", "status": "requested", "actor": "x", "created_at": utc_now()}
    for seq in range(2, 2 + count):
        with transaction.atomic():
            Booking.objects.filter(pk__in=bookings).update(seq=seq)
            events = [BookingEvent(booking_id=each, seq=seq, **keys) for each in bookings]
            publish_on_commit(BookingEvent.objects.bulk_create(events))


@pytest.mark.slow
@pytest.mark.parametrize("live", ["distributed"], indirect=True, scope="session")
async def test_a_dispatcher_whose_connection_breaks_gets_each_event_once_and_in_order(
    live: Stack, people: Actors, shell: Shell
) -> None:
    """1,200 events of 60 bookings; the third connection breaks after the 1,050th, and the fourth gets the rest."""
    bookings = shell.call(create_requested_bookings, owner_id=people.employer.id, count=60)
    first, newest = dict.fromkeys(bookings, 1), dict.fromkeys(bookings, 21)
    addresses = [live.shared_url(pod).removeprefix("ws://").removesuffix("/ws/") for pod in (0, 1)]
    dispatcher = SubscribedDispatcher(addresses, people.admin.token, first, events_per_connection=350)
    async with asyncio.timeout(90), dispatcher.watching():
        await dispatcher.joined.wait()
        await asyncio.to_thread(shell.call, add_events, bookings=bookings, count=20)
        await dispatcher.until(newest)
    assert Received.of(dispatcher.received, first, newest) == Received(lost=0, repeated=0, out_of_order=0)
    assert dispatcher.broken == 3
