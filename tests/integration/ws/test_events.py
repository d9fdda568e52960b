"""A booking's life as its watchers see it: numbered, named, dated and attributed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hunarmitra.common.clock import from_wire
from tests.support.actors import Actors
from tests.support.live import Newcomer, join
from tests.support.shell import Shell
from tests.support.stack import Stack

pytestmark = pytest.mark.usefixtures("over")

KEYS = {"type", "booking_id", "status", "event_type", "actor", "timestamp", "seq"}


async def test_the_life_of_a_booking_is_numbered_from_one_without_a_gap(live: Stack, people: Actors) -> None:
    booking = people.new_booking("requested")
    async with await join(live.booking_url(booking, pod=1), people.employer.token, since=0) as socket:
        people.admin.assign(booking, people.worker.id)
        for status in ("on_the_way", "arrived", "completed"):
            people.worker.status(booking, status)
        events = await socket.until_seq(6)
    assert [(event["seq"], event["event_type"], event["status"], event["actor"]) for event in events] == [
        (1, "booking_requested", "requested", people.employer.user.name),
        (2, "booking_assigned", "requested", people.admin.user.name),
        (3, "booking_confirmed", "confirmed", people.admin.user.name),
        (4, "booking_on_the_way", "on_the_way", people.worker.user.name),
        (5, "booking_arrived", "arrived", people.worker.user.name),
        (6, "booking_completed", "completed", people.worker.user.name),
    ]
    for event in events:
        assert event.keys() == KEYS
        assert event["type"] == "booking_status"
        assert event["booking_id"] == booking
        assert event["timestamp"].endswith("Z")
        assert abs(from_wire(event["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events)
    # REST shows the same.
    assert people.employer.booking(booking)["seq"] == 6
    logged = people.employer.events(booking, since=0)
    log = logged["results"] if isinstance(logged, dict) else logged
    assert [{key: event[key] for key in KEYS - {"type", "booking_id"}} for event in log] == [
        {key: event[key] for key in KEYS - {"type", "booking_id"}} for event in events
    ]


async def test_a_cancellation_and_a_confirmation_by_the_owner_are_events_too(live: Stack, people: Actors) -> None:
    booking = people.new_booking("requested")
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        people.employer.status(booking, "confirmed")
        people.employer.status(booking, "cancelled")
        events = await socket.until_seq(3)
    assert [event["event_type"] for event in events] == ["booking_confirmed", "booking_cancelled"]


async def test_a_reassignment_is_booking_assigned_with_the_status_the_booking_has(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way")
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        people.admin.assign(booking, people.other_worker.id)
        event = await socket.next_of("booking_status")
        assert (event["event_type"], event["status"], event["seq"]) == ("booking_assigned", "on_the_way", 5)
        assert await socket.synchronized() == []


async def test_what_changes_nothing_emits_nothing(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way")
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        people.worker.status(booking, "on_the_way")
        people.worker.status(booking, "confirmed", expect=409)
        people.worker.status(booking, "cancelled", expect=403)
        people.admin.assign(booking, people.worker.id)
        people.worker.status(booking, "arrived")
        assert [event["seq"] for event in await socket.until_seq(5)] == [5]


async def test_the_actor_is_a_display_name_never_a_phone_number(
    live: Stack, people: Actors, newcomer: Newcomer, shell: Shell
) -> None:
    worker = newcomer("worker", name="Asha")
    phone = f"+9198{int(worker.id[:6], 16):08d}"
    shell.call(sign_up_by_phone, user_id=worker.id, phone=phone)
    booking = people.new_booking("requested")
    people.admin.assign(booking, worker.id)
    async with await join(live.booking_url(booking), people.employer.token, since=0) as socket:
        worker.status(booking, "on_the_way")
        worker.track(booking, 28.6, 77.2)
        assert (await socket.until_seq(4))[-1]["actor"] == "Asha"
        assert (await socket.next_of("location_update"))["actor"] == "Asha"
        assert phone not in str(socket.frames)
    assert phone not in str(people.employer.notifications())


def sign_up_by_phone(user_id: str, phone: str) -> None:
    from hunarmitra.accounts.models import User

    User.objects.filter(pk=user_id).update(phone=phone, username=phone)


def cancel_without_an_actor(booking_id: str) -> None:
    from django.db import transaction

    from hunarmitra.bookings.models import Booking
    from hunarmitra.bookings.services import _Change
    from hunarmitra.common.clock import utc_now

    with transaction.atomic():
        row = Booking.objects.select_for_update().get(pk=booking_id)
        row.status = "cancelled"
        change = _Change(row, None, utc_now())
        change.emit("booking_cancelled", clears_location=True)
        change.commit()


async def test_the_actor_of_what_no_person_did_is_system(live: Stack, people: Actors, shell: Shell) -> None:
    booking = people.new_booking("confirmed")
    shell.call(cancel_without_an_actor, booking_id=booking)
    async with await join(live.booking_url(booking), people.employer.token, since=3) as socket:
        assert (await socket.until_seq(4))[-1]["actor"] == "System"


async def test_an_estimate_given_with_a_status_travels_with_the_event(live: Stack, people: Actors) -> None:
    booking = people.new_booking("confirmed")
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        people.worker.status(booking, "on_the_way", eta_minutes=25)
        assert (await socket.next_of("booking_status"))["eta_minutes"] == 25


async def test_every_watcher_on_every_pod_sees_the_same_frames(live: Stack, people: Actors) -> None:
    booking = people.new_booking("confirmed")
    tokens = (people.employer.token, people.worker.token, people.admin.token)
    sockets = [await join(live.booking_url(booking, pod), token) for pod in range(2) for token in tokens]
    people.worker.status(booking, "on_the_way")
    people.worker.track(booking, 28.6, 77.2)
    people.worker.status(booking, "arrived")
    seen = [await socket.until_seq(5) for socket in sockets]
    statuses = [[frame for frame in frames if frame["type"] == "booking_status"] for frames in seen]
    assert all(frames == statuses[0] for frames in statuses)
    assert [frame["seq"] for frame in statuses[0]] == [4, 5]
    for socket in sockets:
        await socket.close()


async def test_nobody_sees_another_bookings_events(live: Stack, people: Actors) -> None:
    booking, other = people.new_booking("confirmed"), people.new_booking("confirmed")
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        people.worker.status(other, "on_the_way")
        people.worker.status(booking, "on_the_way")
        assert {frame["booking_id"] for frame in await socket.until_seq(4)} == {booking}
