"""A user's notifications: numbered per user, told to those concerned, marked as read from either side."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from hunarmitra.common.clock import from_wire
from tests.support.actors import Actors
from tests.support.live import Newcomer, Person, check_error, join
from tests.support.sockets import Frame, Socket
from tests.support.stack import Stack

pytestmark = pytest.mark.usefixtures("over")


async def told_of_an_assignment(live: Stack, people: Actors, person: Person) -> tuple[Socket, list[Frame]]:
    """An open notification socket and its first two notifications."""
    socket = await join(live.notifications_url(pod=1), person.token)
    people.admin.assign(person.create_booking()["id"], people.worker.id)
    return socket, await socket.until_seq(2)


async def test_a_notification_has_exactly_the_documented_keys(live: Stack, people: Actors, newcomer: Newcomer) -> None:
    person = newcomer()
    socket, frames = await told_of_an_assignment(live, people, person)
    async with socket:
        for seq, frame in enumerate(frames, 1):
            assert frame.keys() == {"type", "seq", "id", "title", "message", "data", "created_at"}
            assert (frame["type"], frame["seq"]) == ("notification", seq)
            assert str(uuid.UUID(frame["id"])) == frame["id"]
            assert frame["title"]
            assert frame["message"]
            assert frame["created_at"].endswith("Z")
            assert abs(from_wire(frame["created_at"]) - datetime.now(UTC)) < timedelta(minutes=1)
        assert [frame["data"]["event_type"] for frame in frames] == ["booking_assigned", "booking_confirmed"]
        listed = person.notifications()["results"]
        assert {entry["id"] for entry in listed} == {frame["id"] for frame in frames}


async def test_those_concerned_are_told_but_never_the_actor(live: Stack, people: Actors, newcomer: Newcomer) -> None:
    owner, worker, stranger = newcomer(), newcomer("worker"), newcomer()
    sockets = {person: await join(live.notifications_url(), person.token) for person in (owner, worker, stranger)}
    booking = owner.create_booking()["id"]
    people.admin.assign(booking, worker.id)
    worker.status(booking, "on_the_way")
    owner.status(booking, "cancelled")
    for person in (owner, worker):
        await sockets[person].until_seq(3)
    for socket in sockets.values():
        await socket.synchronized()
    events = {
        person: [frame["data"]["event_type"] for frame in socket.of_type("notification")]
        for person, socket in sockets.items()
    }
    assert events[owner] == ["booking_assigned", "booking_confirmed", "booking_on_the_way"]
    assert events[worker] == ["booking_assigned", "booking_confirmed", "booking_cancelled"]
    assert events[stranger] == []
    assert sockets[owner].seqs() == sockets[worker].seqs() == [1, 2, 3]
    for socket in sockets.values():
        await socket.close()


async def test_a_worker_who_loses_a_booking_is_told(live: Stack, people: Actors, newcomer: Newcomer) -> None:
    former, next_one = newcomer("worker"), newcomer("worker")
    booking = people.new_booking("requested")
    people.admin.assign(booking, former.id)
    async with await join(live.notifications_url(), former.token, since=2) as socket:
        people.admin.assign(booking, next_one.id)
        assert (await socket.until_seq(3))[-1]["data"]["event_type"] == "booking_assigned"


async def test_marking_as_read_counts_what_is_left(live: Stack, people: Actors, newcomer: Newcomer) -> None:
    person = newcomer()
    socket, (first, second) = await told_of_an_assignment(live, people, person)
    async with socket:
        for notification, unread in ((first, 1), (first, 1), (second, 0)):
            await socket.send({"type": "mark_read", "id": notification["id"]})
            assert await socket.next_frame() == {
                "type": "marked_read",
                "id": notification["id"],
                "unread": unread,
            }
        await socket.send({"type": "mark_read", "id": first["id"].upper()})
        assert (await socket.next_frame())["type"] == "marked_read"
    assert all(entry["read_at"] for entry in person.notifications()["results"])
    async with await join(live.notifications_url(), person.token) as later:
        assert later.frames[0]["unread"] == 0


async def test_an_id_that_the_user_has_no_notification_of_is_not_found(
    live: Stack, people: Actors, newcomer: Newcomer
) -> None:
    person, other = newcomer(), newcomer()
    socket, (first, _) = await told_of_an_assignment(live, people, person)
    async with socket, await join(live.notifications_url(), other.token) as others:
        wrong = ["", "1", str(uuid.uuid4()), first["id"].replace("-", ""), f"{{{first['id']}}}", "\u0000", "\ud800"]
        for number in wrong:
            await socket.send({"type": "mark_read", "id": number})
            assert check_error(await socket.next_frame()) == "not_found", number
        await others.send({"type": "mark_read", "id": first["id"]})
        assert check_error(await others.next_frame()) == "not_found"
    async with await join(live.notifications_url(), person.token) as later:
        assert later.frames[0]["unread"] == 2


async def test_what_rest_marks_is_read_for_connections_too(live: Stack, people: Actors, newcomer: Newcomer) -> None:
    person = newcomer()
    socket, (first, second) = await told_of_an_assignment(live, people, person)
    async with socket:
        person.mark_read(first["id"])
        await socket.send({"type": "mark_read", "id": first["id"]})
        assert (await socket.next_frame())["unread"] == 1
        async with await join(live.notifications_url(), person.token) as later:
            assert later.frames[0]["unread"] == 1
        person.mark_all_read()
        await socket.send({"type": "mark_read", "id": second["id"]})
        assert (await socket.next_frame())["unread"] == 0
