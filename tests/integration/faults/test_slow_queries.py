"""A database that is slow for one socket delays no event of another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from tests.support.clock import steady
from tests.support.postgres import PostgresServer
from tests.support.scene import Scene, off_loop, scene
from tests.support.sockets import Socket

pytestmark = pytest.mark.usefixtures("over_rarely")

DELAY = 0.5
"""Seconds: what one slow query of 0.5 s costs every other socket with stock Channels."""

DATABASE_THREADS = 4


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("slow")
    with scene(
        directory, postgres_server, ws=1, HUB_COMPARISON_INTERVAL="60", WS_DATABASE_THREADS=str(DATABASE_THREADS)
    ) as running:
        yield running


async def slowest(system: Scene, booking_id: str, socket: Socket, count: int = 20) -> float:
    """Seconds from the answer to the worker until the socket has the position, at worst."""
    worst = 0.0
    for _ in range(count):
        await off_loop(system.actors.worker.track, booking_id, 28.0, 77.0)
        answered = steady()
        await socket.next_of("location_update")
        worst = max(worst, steady() - answered)
    return worst


async def test_joins_whose_queries_take_long_delay_no_event_and_no_pong(system: Scene) -> None:
    """Every thread that reads for sockets is held by a query that does not end."""
    slow, quick = await system.new_booking(), await system.new_booking()
    async with AsyncExitStack() as stack:
        socket = await stack.enter_async_context(await system.watch(quick))
        await socket.joined()
        usual = await slowest(system, quick, socket)
        joining, faults = [], []
        for _ in range(DATABASE_THREADS):
            faults.append(system.faults.arm("booking read, not its log"))
            joining.append(await stack.enter_async_context(await system.watch(slow, since=0)))
            await faults[-1].reached_by_one()
        assert await slowest(system, quick, socket) < usual + DELAY
        await off_loop(system.actors.worker.status, quick, "arrived")
        await socket.until_seq(5, DELAY)
        begun = steady()
        await socket.synchronized()
        assert steady() - begun < DELAY
        await off_loop(system.actors.worker.status, slow, "arrived")
        assert not any(held.frames for held in joining)
        for fault in faults:
            fault.release()
        for held in joining:
            await held.until_seq(5)
            assert held.seqs() == [1, 2, 3, 4, 5]


async def test_a_join_whose_query_takes_long_delays_no_other_join(system: Scene) -> None:
    slow, quick = await system.new_booking(), await system.new_booking()
    async with AsyncExitStack() as stack:
        fault = system.faults.arm("booking read, not its log")
        held = await stack.enter_async_context(await system.watch(slow))
        await fault.reached_by_one()
        for _ in range(3):
            begun = steady()
            socket = await stack.enter_async_context(await system.watch(quick))
            await socket.joined()
            assert steady() - begun < 2 * DELAY
        assert not held.frames
        fault.release()
        await held.joined()
