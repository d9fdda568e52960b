"""The relay: several at once, and the one inside the embedded process."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import msgpack
import psycopg
import pytest

from tests.support import services
from tests.support.eventually import eventually_async
from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer
from tests.support.scene import Scene, embedded_scene, off_loop, scene
from tests.support.stack import call_in

BATCH = 500
"""Rows that one relay takes at a time."""


@contextmanager
def counted(redis: RedisServer) -> Iterator[Counter[tuple[str, int]]]:
    """How often each numbered event of a booking is published meanwhile."""
    counts: Counter[tuple[str, int]] = Counter()
    stop = threading.Event()
    with redis.client() as client, client.pubsub(ignore_subscribe_messages=True) as subscription:
        subscription.psubscribe("asgi__group__booking.*")
        subscription.get_message(timeout=5)

        def count() -> None:
            while not stop.is_set():
                message = subscription.get_message(timeout=0.1)
                if message:
                    counts[message["channel"].decode(), msgpack.unpackb(message["data"])["seq"]] += 1

        thread = threading.Thread(target=count, daemon=True)
        thread.start()
        try:
            yield counts
        finally:
            stop.set()
            thread.join(5)


def stuck(system: Scene) -> int:
    rows = system.sql("SELECT count(*) FROM bookings_bookingevent WHERE published_at IS NULL")
    return int(rows[0][0])


def relay_now() -> int:
    """Relay what can be relayed; return the number of rows."""
    import django

    django.setup()
    from hunarmitra.outbox.relay import relay_once

    return relay_once(older_than_seconds=0)


async def test_rows_that_another_relay_holds_are_left_to_it(tmp_path: Path, postgres_server: PostgresServer) -> None:
    with scene(tmp_path, postgres_server, with_relay=False, HUB_COMPARISON_INTERVAL="60") as system:
        booking = await system.new_booking("confirmed")
        await off_loop(system.insert_events, booking, 3)
        environment = system.stack.environment
        with psycopg.connect(environment["DATABASE_URL"]) as other:
            other.execute("SELECT id FROM bookings_bookingevent WHERE published_at IS NULL FOR UPDATE")
            assert await off_loop(call_in, environment, relay_now) == 0
        assert await off_loop(call_in, environment, relay_now) == 3
        assert stuck(system) == 0


@pytest.mark.slow
async def test_two_relays_at_once_publish_every_stuck_event_once(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    with scene(tmp_path, postgres_server, with_relay=False, HUB_COMPARISON_INTERVAL="60") as system:
        assert system.stack.redis is not None
        bookings = [await system.new_booking("confirmed") for _ in range(6)]
        async with AsyncExitStack() as stack:
            sockets = [await stack.enter_async_context(await system.watch(booking, pod=0)) for booking in bookings]
            for socket in sockets:
                await socket.joined()
            counts = stack.enter_context(counted(system.stack.redis))
            for booking in bookings:
                assert await off_loop(system.insert_events, booking, 2 * BATCH // 5) == 3 + 2 * BATCH // 5
            total = len(bookings) * 2 * BATCH // 5
            fault = system.faults.arm("locked, not relayed")
            for name in ("relay-a", "relay-b"):
                stack.enter_context(services.relay(tmp_path, system.stack.environment, name=name))
            await fault.reached_by_one(60)
            # One holds its batch; the other takes everything else and leaves that alone.
            await eventually_async(lambda: stuck(system) == BATCH, 60, "the other relay published the rest")
            fault.release()
            await eventually_async(lambda: stuck(system) == 0, 30, "everything was published")
            await eventually_async(lambda: len(counts) == total, 30, "everything was received")
            assert set(counts.values()) == {1}
            for socket in sockets:
                await socket.until_seq(3 + 2 * BATCH // 5)
                await socket.synchronized()
                assert socket.seqs() == list(range(4, 4 + 2 * BATCH // 5))


@pytest.mark.slow
async def test_the_embedded_process_relays_for_itself(tmp_path: Path) -> None:
    with embedded_scene(tmp_path, HUB_COMPARISON_INTERVAL="60") as system:
        booking_id = await system.new_booking("confirmed")
        async with await system.watch(booking_id) as socket:
            await socket.joined()
            system.faults.arm("committed, not published", "raise")
            begun = time.monotonic()
            await off_loop(system.actors.worker.status, booking_id, "on_the_way")
            await socket.until_seq(4)
            assert time.monotonic() - begun > 1.9, "only the relay can have published it, after 2 s"
            await off_loop(system.actors.worker.status, booking_id, "arrived")
            await socket.until_seq(5)
            await socket.synchronized()
            assert socket.seqs() == [4, 5]
