"""What somebody who may only PUBLISH on Redis can do to clients: make the server read, and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import msgpack
import psycopg
import pytest
from redis import Redis

from hunarmitra.common.clock import microseconds_now
from hunarmitra.outbox.publishing import publish_event
from hunarmitra.outbox.redis_publisher import redis_channel
from hunarmitra.outbox.revocations import newest_number
from hunarmitra.protocol import channels, messages
from hunarmitra.protocol.messages import Message
from tests.support.actors import Actors
from tests.support.eventually import eventually_async
from tests.support.live import Newcomer, join
from tests.support.shell import Shell
from tests.support.sockets import Socket
from tests.support.stack import Stack

pytestmark = [
    pytest.mark.parametrize("live", ["distributed"], indirect=True, scope="session"),
    pytest.mark.usefixtures("over_rarely"),
]

FAR_FUTURE = 4 * 10**15
"""In the year 2096, in microseconds."""


@pytest.fixture
def redis(live: Stack) -> Iterator[Redis]:
    assert live.redis is not None
    with live.redis.client() as client:
        yield client


def forge(redis: Redis, message: Message) -> None:
    """Publish as somebody without a key, or as a version that did not sign: they send the same bytes."""
    assert redis.publish(redis_channel(message.channel), msgpack.packb(dict(message.body))) == 2, "both pods listen"


def frame(booking: str, **fields: Any) -> str:
    return json.dumps({"type": "booking_status", "booking_id": booking, "status": "completed", **fields})


async def watch(live: Stack, people: Actors, booking: str) -> list[Socket]:
    return [await join(live.booking_url(booking, pod), people.employer.token) for pod in (0, 1)]


async def close(sockets: list[Socket]) -> None:
    for socket in sockets:
        await socket.close()


def forged_status(booking: str, seq: int) -> Message:
    return messages.status_message(f"booking.{booking}", seq=seq, frame=frame(booking, seq=seq), clears_location=True)


async def test_a_forged_status_is_not_shown_and_hides_no_real_one(live: Stack, people: Actors, redis: Redis) -> None:
    booking = people.new_booking("confirmed")
    sockets = await watch(live, people, booking)
    for seq in (4, 5, 10**6):
        forge(redis, forged_status(booking, seq))
    people.worker.status(booking, "on_the_way")
    for socket in sockets:
        event = await socket.next_of("booking_status")
        assert (event["status"], event["seq"]) == ("on_the_way", 4)
        assert [each["type"] for each in socket.frames] == ["connection_established", "booking_status"]
    await close(sockets)


async def test_an_event_of_a_version_that_does_not_sign_arrives_from_the_database(
    live: Stack, people: Actors, redis: Redis
) -> None:
    """During a rolling upgrade: committed and published there, read here. The comparison comes once a minute."""
    booking = people.new_booking("confirmed")
    sockets = await watch(live, people, booking)
    with psycopg.connect(live.environment["DATABASE_URL"], autocommit=True) as database:
        database.execute("UPDATE bookings_booking SET seq = 4, status = 'on_the_way' WHERE id = %s", [booking])
        database.execute(
            "INSERT INTO bookings_bookingevent"
            " (booking_id, seq, event_type, status, actor, clears_location, created_at, published_at)"
            " VALUES (%s, 4, 'booking_on_the_way', 'on_the_way', 'Old', false, now(), now())",
            [booking],
        )
    forge(redis, messages.status_message(f"booking.{booking}", seq=4, frame=frame(booking, seq=4, actor="Old")))
    for socket in sockets:
        event = await socket.next_of("booking_status")
        assert (event["status"], event["actor"], event["seq"]) == ("on_the_way", "Old", 4)
    await close(sockets)


async def test_a_forged_location_is_not_shown_and_freezes_no_map(live: Stack, people: Actors, redis: Redis) -> None:
    booking = people.new_booking("on_the_way")
    sockets = await watch(live, people, booking)
    here = json.dumps({"type": "location_update", "booking_id": booking, "lat": 1.0, "lng": 1.0})
    forge(redis, messages.location_message(f"booking.{booking}", seq=4, order=microseconds_now(), frame=here))
    forge(redis, messages.location_message(f"booking.{booking}", seq=4, order=FAR_FUTURE, frame=here))
    people.worker.track(booking, 28.5, 77.5)
    for socket in sockets:
        assert (await socket.next_of("location_update"))["lat"] == 28.5
        assert len(socket.of_type("location_update")) == 1
    await close(sockets)


async def test_a_signed_location_of_the_far_future_freezes_no_map(live: Stack, people: Actors, shell: Shell) -> None:
    """A publisher whose clock is wrong, or a program with the key."""
    booking = people.new_booking("on_the_way")
    sockets = await watch(live, people, booking)
    message = messages.location_message(f"booking.{booking}", seq=4, order=FAR_FUTURE, frame="{}")
    assert await asyncio.to_thread(shell.call, publish_event, channel=message.channel, body=dict(message.body))
    people.worker.track(booking, 28.5, 77.5)
    for socket in sockets:
        assert (await socket.next_of("location_update"))["lat"] == 28.5
        assert len(socket.of_type("location_update")) == 1
    await close(sockets)


def forged_revocations(subject: str, first: int) -> list[Message]:
    return [
        messages.revocation_message(channels.CONTROL, number=first + n, kind=kind, subject=subject, booking=None)
        for n, kind in enumerate(["user", "session", "staff"])
    ]


@pytest.mark.parametrize("signed", [False, True], ids=["forged", "signed"])
async def test_an_announced_revocation_closes_nothing_and_keeps_no_revoked_connection_open(
    live: Stack, newcomer: Newcomer, shell: Shell, redis: Redis, signed: bool
) -> None:
    """Announcements of the next numbers would have closed others, and hidden the real revocation of that number."""
    person, other = newcomer(), newcomer()
    sockets = [await join(live.notifications_url(pod), person.token) for pod in (0, 1)]
    others = [await join(live.notifications_url(pod), other.token) for pod in (0, 1)]
    newest = await asyncio.to_thread(shell.call, newest_number)
    for message in forged_revocations(other.id, newest + 1):
        if signed:
            body = dict(message.body)
            assert await asyncio.to_thread(shell.call, publish_event, channel=message.channel, body=body)
        else:
            forge(redis, message)
    person.logout()
    for socket in sockets:
        assert (await socket.closed())[0] == 4001
    for socket in others:
        assert all(each["type"] != "error" for each in await socket.synchronized())
    await close(others)


async def test_a_forged_wake_does_not_drain_a_workers_battery(live: Stack, people: Actors, redis: Redis) -> None:
    """Nobody watches. An unsigned message that somebody does makes the worker send no more often."""
    booking = people.new_booking("on_the_way")
    async with await join(live.booking_url(booking), people.worker.token) as worker:
        await worker.send({"type": "location", "lat": 28.5, "lng": 77.5, "id": "1"})
        assert (await worker.next_of("location_accepted"))["next_in_ms"] == 15_000
        channel = redis_channel(f"booking.{booking}")
        assert redis.publish(channel, msgpack.packb({"type": messages.WATCHED})) == 1
        people.admin.status(booking, "arrived")
        await worker.next_of("booking_status")
        assert worker.of_type("pace") == []


async def test_a_signed_message_is_not_believed_on_another_channel_and_changes_nothing_on_its_own(
    live: Stack, people: Actors, redis: Redis
) -> None:
    recorded, victim = people.new_booking("confirmed"), people.new_booking("confirmed")
    sockets = await watch(live, people, victim)
    first = await watch(live, people, recorded)
    with redis.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe(redis_channel(f"booking.{recorded}"))

        def next_message() -> bytes:
            message = listener.get_message(timeout=0.05)
            return b"" if message is None else message["data"]

        assert not next_message(), "the acknowledgement"
        people.worker.status(recorded, "on_the_way")
        data = await eventually_async(next_message, 30, "the message to record")
    for _ in range(3):
        redis.publish(redis_channel(f"booking.{victim}"), data)
        redis.publish(redis_channel(f"booking.{recorded}"), data)
    people.worker.status(victim, "on_the_way")
    people.worker.status(recorded, "arrived")
    for socket in sockets:
        assert (await socket.next_of("booking_status"))["booking_id"] == victim
        assert socket.seqs() == [4]
    for socket in first:
        await socket.frames_until(lambda each: each.get("status") == "arrived")
        assert socket.seqs() == [4, 5]
    await close([*sockets, *first])


def set_on_the_way(booking_id: str, user_id: str) -> None:
    from uuid import UUID

    from hunarmitra.accounts.models import User
    from hunarmitra.bookings.services import booking_status_change
    from hunarmitra.protocol.statuses import Status

    user = User.objects.get(pk=user_id)
    booking_status_change(booking_id=UUID(booking_id), user=user, status=Status.ON_THE_WAY)


@pytest.mark.parametrize("newest_signs", [False, True], ids=["added last", "moved to the front"])
async def test_a_change_of_keys_loses_no_event(live: Stack, people: Actors, newest_signs: bool) -> None:
    """Pods that restarted publish for pods that did not. The pods of this stack know the key `default` only."""
    secret_key = live.environment["SECRET_KEY"]
    default = hmac.new(secret_key.encode(), b"hunarmitra.jwt", hashlib.sha256).hexdigest()
    ring = [
        {"kid": "default", "alg": "HS256", "secret": default},
        {"kid": "new", "alg": "HS256", "secret": "a-new-secret-of-at-least-thirty-two-bytes"},
    ]
    booking = people.new_booking("confirmed")
    sockets = await watch(live, people, booking)

    def change() -> None:
        keys = json.dumps(ring[::-1] if newest_signs else ring)
        with Shell(live, JWT_KEYS=keys, SERVICES="http") as restarted:
            restarted.call(set_on_the_way, booking_id=booking, user_id=people.worker.id)

    await asyncio.to_thread(change)
    for socket in sockets:
        assert (await socket.next_of("booking_status"))["status"] == "on_the_way"
    await close(sockets)
