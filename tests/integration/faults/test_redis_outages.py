"""Redis is killed and comes back empty, or stands still: open sockets end up complete and REST goes on.

The comparison with the database is so rare here, and no relay runs, that only noticing the outage helps.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.support.clock import steady
from tests.support.eventually import eventually_async
from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer
from tests.support.scene import Scene, off_loop, scene
from tests.support.sockets import Socket
from tests.support.traffic import Traffic, assert_exact

pytestmark = pytest.mark.usefixtures("over_rarely")

logger = logging.getLogger(__name__)

LIMIT = 5.0
"""Seconds after Redis' return until an open socket is complete."""

LONGER = 1.0
"""Seconds that a REST answer may take longer while Redis is away."""

NOTICED = "lost the subscription at Redis"
"""What a ws process logs when its connection broke, or its own heartbeat did not come back for 3 s."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("outages")
    with scene(directory, postgres_server, with_relay=False, HUB_COMPARISON_INTERVAL="60") as running:
        yield running


def kill(redis: RedisServer) -> None:
    redis.kill()


def come_back_empty(redis: RedisServer) -> None:
    redis.start()
    with redis.client() as client:
        assert client.dbsize() == 0


async def complete_within(system: Scene, watched: list[tuple[str, Socket]], limit: float) -> None:
    deadline = steady() + limit
    for booking_id, socket in watched:
        newest = (await off_loop(system.actors.employer.booking, booking_id))["seq"]
        if newest not in socket.seqs():
            await socket.until_seq(newest, max(0.0, deadline - steady()))
        assert_exact(socket, newest)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("away", "back"),
    [(kill, come_back_empty), (RedisServer.pause, RedisServer.resume)],
    ids=["killed-and-empty", "standing-still"],
)
async def test_open_connections_are_complete_and_rest_goes_on_when_redis_was_away(
    system: Scene, away: Callable[[RedisServer], None], back: Callable[[RedisServer], None]
) -> None:
    redis = system.stack.redis
    assert redis is not None
    bookings = [await system.new_booking() for _ in range(4)]
    async with AsyncExitStack() as stack:
        watched = await system.watch_all(bookings, stack)
        with Traffic(system, bookings) as traffic:
            await off_loop(traffic.wait_calls, 40)
            usual = max(traffic.durations)
            noticed = system.stack.log_text().count(NOTICED)
            away(redis)
            before = len(traffic.durations)
            await eventually_async(
                lambda: system.stack.log_text().count(NOTICED) >= noticed + 2, 30, "both ws processes notice"
            )
            await off_loop(traffic.wait_calls, 8)
        worst = max(traffic.durations[before:])
        assert worst < usual + LONGER
        await off_loop(back, redis)
        await complete_within(system, watched, LIMIT)
        await system.until_live(bookings[0], [socket for _, socket in watched[:2]], LIMIT)
    calls = len(traffic.durations) - before
    logger.info("usual %.3f s, worst %.3f s of %d calls while away", usual, worst, calls)
