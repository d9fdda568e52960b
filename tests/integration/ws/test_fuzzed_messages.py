"""Garbage and malformed messages of every type on Redis, unsigned and signed: no honest client notices."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
from redis import Redis

from hunarmitra.outbox.redis_publisher import redis_channel
from hunarmitra.protocol import channels, messages
from hunarmitra_ws.hub.redis_transport import HEARTBEAT_CHANNEL
from tests.support.actors import Actors
from tests.support.live import join
from tests.support.shell import Shell
from tests.support.stack import Stack

ROUNDS = 10
MESSAGES_A_ROUND = 300

TYPES: tuple[Any, ...] = (
    messages.STATUS,
    messages.LOCATION,
    messages.REVOCATION,
    messages.WATCHED,
    "chat.message",
    "",
    None,
    7,
    [],
)
FIELDS = (
    "seq", "order", "frame", "clears_location", "ack", "number", "kind", "subject", "booking", "committed_at",
    "published_at", "traceparent", "hunarmitra.signature",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 1.5, float("nan"), float("inf"), -1, 2**63 - 1, b"\xff", "", "x" * 3000, "\ud800", [], {}, [[1]],
    {"a": 1},
)  # fmt: skip
RAW = (b"", b"\xc1", b"\x81", b"\xff" * 50, b"\xdc\xff\xff", b"0", b"nan", b"{}", b"\x00", b"x" * 70000)


@pytest.fixture
def redis(live: Stack) -> Iterator[Redis]:
    assert live.redis is not None
    with live.redis.client() as client:
        yield client


def bodies(rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Return bodies of each type with a random choice of fields and values, which no publisher of ours sends."""
    return [
        {"type": rng.choice(TYPES), **{name: rng.choice(VALUES) for name in FIELDS if rng.random() < 0.5}}
        for _ in range(count)
    ]


def packed(body: dict[str, Any]) -> bytes:
    return bytes(msgpack.packb(body, unicode_errors="surrogatepass"))


def signed_messages(channels: list[str], seed: int, count: int) -> list[list[str]]:
    """Return malformed messages as a faulty program with the key would publish them: channel and bytes in hex."""
    import random

    from hunarmitra.outbox.signing import message_signer
    from hunarmitra.protocol.messages import malformed_field
    from tests.integration.ws.test_fuzzed_messages import bodies

    rng, made = random.Random(seed), []
    for body in bodies(rng, count):
        if malformed_field(body) is None:
            continue
        channel = rng.choice(channels)
        try:
            made.append([channel, message_signer().pack(channel, body).hex()])
        except ValueError:  # a lone surrogate
            continue
    return made


@pytest.mark.parametrize("live", ["distributed"], indirect=True, scope="session")
async def test_garbage_of_every_type_is_noticed_by_no_client(
    live: Stack, people: Actors, redis: Redis, shell: Shell
) -> None:
    rng = random.Random(4711)
    logs = [pod.log_text() for pod in live.ws]  # with what other tests of this stack have left
    booking = people.new_booking("on_the_way")
    names = [f"booking.{booking}", f"user.{people.employer.id}", channels.CONTROL]
    watchers = [await join(live.booking_url(booking, pod), people.employer.token) for pod in (0, 1)]
    notified = await join(live.notifications_url(), people.employer.token)
    heartbeats: list[Any] = redis.pubsub_channels(f"{HEARTBEAT_CHANNEL}*")
    assert heartbeats
    targets = [*map(redis_channel, names), *heartbeats, redis_channel("unknown"), "asgi__group__"]
    for number in range(ROUNDS):
        with redis.pipeline(transaction=False) as pipeline:
            for body in bodies(rng, MESSAGES_A_ROUND):
                pipeline.publish(rng.choice(targets), rng.choice(RAW) if rng.random() < 0.3 else packed(body))
            pipeline.execute()
        signed = await asyncio.to_thread(
            shell.call, signed_messages, channels=names, seed=number, count=MESSAGES_A_ROUND
        )
        assert len(signed) > MESSAGES_A_ROUND / 3
        with redis.pipeline(transaction=False) as pipeline:
            for channel, data in signed:
                pipeline.publish(redis_channel(channel), bytes.fromhex(data))
            pipeline.execute()
        people.worker.track(booking, 28.5 + number / 1000, 77.5)
        for socket in watchers:
            await socket.next_of("location_update")
    people.worker.status(booking, "arrived")
    for socket in watchers:
        event = await socket.next_of("booking_status")
        assert (event["status"], event["seq"]) == ("arrived", 5)
        assert await socket.synchronized() == []
    await notified.next_of("notification")
    expected = ["connection_established", *["location_update"] * ROUNDS, "booking_status", "pong"]
    for socket in watchers:
        assert [frame["type"] for frame in socket.frames] == expected
        await socket.close()
    await notified.close()
    for pod, log in zip(live.ws, logs, strict=True):
        assert "Traceback" not in pod.log_text().removeprefix(log)


def test_the_bodies_reach_every_type_and_field() -> None:
    made = bodies(random.Random(1), 500)
    assert {str(body["type"]) for body in made} == set(map(str, TYPES))
    assert {name for body in made for name in body} == {"type", *FIELDS}
