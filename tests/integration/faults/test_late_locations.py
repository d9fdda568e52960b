"""Positions whose message comes late: an older one is not shown after a newer one, none after the end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from tests.support.eventually import eventually_async
from tests.support.postgres import PostgresServer
from tests.support.scene import Arrival, Scene, off_loop, positions, scene
from tests.support.sockets import Socket

pytestmark = pytest.mark.usefixtures("over_rarely")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("late"), postgres_server, HUB_COMPARISON_INTERVAL="60") as running:
        yield running


@pytest.fixture(scope="module")
def other_booking(system: Scene) -> str:
    return system.actors.new_booking("on_the_way")


async def watchers(system: Scene, booking_id: str, stack: AsyncExitStack) -> list[Socket]:
    sockets = [await stack.enter_async_context(await system.watch(booking_id, pod=pod)) for pod in (0, 1)]
    for socket in sockets:
        await socket.joined()
    return sockets


@pytest.mark.parametrize("ending", ["newer position", "cancelled", "reassigned"])
async def test_a_location_that_was_overtaken_on_its_way_to_redis_is_not_shown(
    system: Scene, other_booking: str, ending: str
) -> None:
    booking_id = await system.new_booking()
    actors = system.actors
    async with AsyncExitStack() as stack:
        arrival = await Arrival.at(system, other_booking, (0, 1), stack)
        sockets = await watchers(system, booking_id, stack)
        fault = system.faults.arm("stored, not published")
        late = asyncio.create_task(off_loop(actors.worker.track, booking_id, 28.1, 77.0))
        await fault.reached_by_one()
        if ending == "newer position":
            await off_loop(actors.worker.track, booking_id, 28.2, 77.0)
        elif ending == "cancelled":
            await off_loop(actors.employer.status, booking_id, "cancelled")
        else:
            await off_loop(actors.admin.assign, booking_id, actors.other_worker.id)
        await arrival.wait()
        fault.release()
        await late
        await arrival.wait()
        for socket in sockets:
            await socket.synchronized()
            shown = [position["lat"] for position in positions(socket.frames)]
            assert shown == ([28.2] if ending == "newer position" else [])


async def test_a_handover_that_comes_late_brings_no_older_location_of_the_new_worker(
    system: Scene, other_booking: str
) -> None:
    """The new worker's positions are known before the event that made him the worker."""
    booking_id = await system.new_booking()
    actors = system.actors
    async with AsyncExitStack() as stack:
        arrival = await Arrival.at(system, other_booking, (0, 1), stack)
        sockets = await watchers(system, booking_id, stack)
        system.faults.arm("committed, not published", "raise")
        await off_loop(actors.admin.assign, booking_id, actors.other_worker.id)
        fault = system.faults.arm("stored, not published")
        late = asyncio.create_task(off_loop(actors.other_worker.track, booking_id, 28.1, 77.0))
        await fault.reached_by_one()
        await off_loop(actors.other_worker.track, booking_id, 28.2, 77.0)
        await eventually_async(lambda: not system.unpublished(booking_id), 30, "the relay published the handover")
        for socket in sockets:
            await socket.until_seq(5)
        fault.release()
        await late
        await arrival.wait()
        for socket in sockets:
            await socket.synchronized()
            assert [position["lat"] for position in positions(socket.frames)] == [28.2]
