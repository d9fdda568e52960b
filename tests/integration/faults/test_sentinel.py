"""The Redis primary is killed under Sentinel: sockets and REST get over it by themselves."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.clock import steady
from tests.support.postgres import PostgresServer
from tests.support.redis import SentinelCluster
from tests.support.scene import off_loop, scene
from tests.support.traffic import Traffic, assert_exact

pytestmark = pytest.mark.usefixtures("over_rarely")

logger = logging.getLogger(__name__)

LIMIT = 15.0
"""Seconds after the primary's death until an open socket is complete."""

LONGER = 1.0
"""Seconds that a REST answer may take longer during the failover."""


@pytest.mark.slow
async def test_open_connections_are_complete_and_no_request_fails_when_the_primary_is_killed(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    with (
        SentinelCluster(tmp_path) as cluster,
        # Hardly a comparison: publishers and subscribers have to find the new primary.
        scene(tmp_path, postgres_server, redis_url=cluster.url, HUB_COMPARISON_INTERVAL="60") as system,
    ):
        bookings = [await system.new_booking() for _ in range(4)]
        async with AsyncExitStack() as stack:
            watched = await system.watch_all(bookings, stack)
            with Traffic(system, bookings) as traffic:
                await off_loop(traffic.wait_calls, 40)
                usual = max(traffic.durations)
                cluster.kill_primary()
                killed = steady()
                before = len(traffic.durations)
                await off_loop(cluster.wait_for_failover)
                promoted = steady() - killed
                await off_loop(traffic.wait_calls, 8)
                during = traffic.durations[before:]
            assert max(during) < usual + LONGER
            for booking_id, socket in watched:
                newest = (await off_loop(system.actors.employer.booking, booking_id))["seq"]
                if newest not in socket.seqs():
                    await socket.until_seq(newest, max(0.0, LIMIT - (steady() - killed)))
                assert_exact(socket, newest)
            complete = steady() - killed
            left = max(0.0, LIMIT - (steady() - killed))
            await system.until_live(bookings[0], [socket for _, socket in watched[:2]], left)
    logger.info(
        "new primary after %.1f s, complete after %.1f s; REST: usual %.3f s, worst %.3f s of %d calls",
        promoted, complete, usual, max(during), len(during),
    )  # fmt: skip
