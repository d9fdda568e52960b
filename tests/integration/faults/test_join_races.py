"""What is committed while a socket joins is seen exactly once, wherever in the join it happens.

The joining socket is stopped at a checkpoint; the event is committed, published, and has arrived at that ws
process; then the socket goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.support.faults import JOIN_POINTS
from tests.support.postgres import PostgresServer
from tests.support.scene import Arrival, Scene, off_loop, positions, scene
from tests.support.sockets import Socket

pytestmark = pytest.mark.usefixtures("over_rarely")

PLACES = [
    *((point, True) for point in JOIN_POINTS),
    *((point, False) for point in JOIN_POINTS if point != "registered, not subscribed"),
]
"""Where the join is stopped, and whether the socket is its group's first; only that one subscribes."""

PLACE, NEXT_PLACE = 28.5, 28.6


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("races"), postgres_server, HUB_COMPARISON_INTERVAL="60") as running:
        yield running


@pytest.fixture(scope="module")
def other_booking(system: Scene) -> str:
    """Its positions tell when everything published before has arrived: Redis keeps the order."""
    return system.actors.new_booking("on_the_way")


def advance(system: Scene, booking_id: str) -> None:
    system.actors.worker.status(booking_id, "arrived")
    system.actors.worker.status(booking_id, "completed")


def move_twice(system: Scene, booking_id: str) -> None:
    system.actors.worker.track(booking_id, PLACE, 77.0)
    system.actors.worker.track(booking_id, NEXT_PLACE, 77.0)


def move_and_cancel(system: Scene, booking_id: str) -> None:
    system.actors.worker.track(booking_id, PLACE, 77.0)
    system.actors.employer.status(booking_id, "cancelled")


def reassign(system: Scene, booking_id: str) -> None:
    """The first worker moves, the second takes over and moves."""
    system.actors.worker.track(booking_id, PLACE, 77.0)
    system.actors.admin.assign(booking_id, system.actors.other_worker.id)
    system.actors.other_worker.track(booking_id, NEXT_PLACE, 77.0)


def exactly_once(socket: Socket, since: int | None, newest: int) -> None:
    first = socket.frames[0]
    assert first["replay"] == (0 if since is None else first["seq"] - since)
    assert socket.seqs() == list(range((first["seq"] if since is None else since) + 1, newest + 1))
    assert {frame["type"] for frame in socket.frames[1:]} <= {"booking_status", "location_update", "pong"}


def positions_are_right(socket: Socket, happened: Callable[[Scene, str], None]) -> None:
    """Each at most once, never an older one after a newer one, none after what ended it."""
    shown = [position["lat"] for position in positions(socket.frames)]
    if happened in {move_twice, reassign}:
        assert shown[-1] == NEXT_PLACE, shown
    assert shown == sorted(set(shown)), shown
    if happened is move_and_cancel:
        kinds = [frame["type"] for frame in socket.frames]
        finals = [number for number, frame in enumerate(socket.frames) if frame.get("status") == "cancelled"]
        assert finals
        assert "location_update" not in kinds[finals[0] :]


@pytest.mark.parametrize("since", [None, 3], ids=["no-since", "since-3"])
@pytest.mark.parametrize(
    "happened", [advance, move_twice, move_and_cancel, reassign], ids=lambda function: function.__name__
)
@pytest.mark.parametrize(("point", "first"), PLACES)
async def test_what_happens_during_a_join_is_seen_exactly_once(
    system: Scene,
    other_booking: str,
    first: bool,
    point: str,
    happened: Callable[[Scene, str], None],
    since: int | None,
) -> None:
    booking_id = await system.new_booking()
    async with AsyncExitStack() as stack:
        arrival = await Arrival.at(system, other_booking, (0,), stack)
        before = None
        if not first:
            before = await stack.enter_async_context(await system.watch(booking_id))
            await before.joined()
        fault = system.faults.arm(point)
        socket = await stack.enter_async_context(await system.watch(booking_id, since=since))
        await fault.reached_by_one()
        await off_loop(happened, system, booking_id)
        await arrival.wait()
        fault.release()
        await socket.joined()
        newest = (await off_loop(system.actors.employer.booking, booking_id))["seq"]
        if newest > max(socket.frames[0]["seq"], *socket.seqs(), 0):
            await socket.until_seq(newest)
        await arrival.wait()
        await socket.synchronized()
        exactly_once(socket, since, newest)
        positions_are_right(socket, happened)
        if before is not None:
            await before.synchronized()
            exactly_once(before, None, newest)
            positions_are_right(before, happened)


async def test_connections_that_join_together_but_read_apart_each_see_everything(
    system: Scene, other_booking: str
) -> None:
    """The first reads before an event and goes live after the second, which read after it."""
    booking_id = await system.new_booking("confirmed")
    async with AsyncExitStack() as stack:
        arrival = await Arrival.at(system, other_booking, (0,), stack)
        early = system.faults.arm("read, not live")
        first = await stack.enter_async_context(await system.watch(booking_id, since=0))
        await early.reached_by_one()
        await off_loop(system.actors.worker.status, booking_id, "on_the_way")
        await arrival.wait()
        middle = system.faults.arm("read, not live")
        second = await stack.enter_async_context(await system.watch(booking_id, since=0))
        await middle.reached_by_one()
        await off_loop(system.actors.worker.status, booking_id, "arrived")
        await arrival.wait()
        third = await stack.enter_async_context(await system.watch(booking_id, since=0))
        await third.until_seq(5)
        early.release()
        await first.until_seq(5)
        middle.release()
        await second.until_seq(5)
        await off_loop(system.actors.worker.status, booking_id, "completed")
        for socket in (first, second, third):
            await socket.until_seq(6)
            await socket.synchronized()
            exactly_once(socket, 0, 6)


@pytest.mark.parametrize("point", ["subscribed, not read", "user read, not the notifications", "read, not live"])
@pytest.mark.parametrize("first", [True, False], ids=["first-socket", "second-socket"])
async def test_notifications_during_a_join_are_seen_exactly_once(
    system: Scene, other_booking: str, point: str, first: bool
) -> None:
    booking_id = await system.new_booking("confirmed")
    employer = system.actors.employer
    async with AsyncExitStack() as stack:
        arrival = await Arrival.at(system, other_booking, (0,), stack)

        async def listen(since: int | None) -> Socket:
            socket = await Socket.connect(system.stack.notifications_url(0), token=employer.token, since=since)
            return await stack.enter_async_context(socket)

        before = await listen(None)
        start = (await before.joined())["seq"]
        if first:
            await before.close()
        fault = system.faults.arm(point)
        socket = await listen(start)
        await fault.reached_by_one()
        await off_loop(system.actors.worker.status, booking_id, "on_the_way")
        await off_loop(system.actors.worker.status, booking_id, "arrived")
        await arrival.wait()
        fault.release()
        await socket.until_seq(start + 2)
        await off_loop(system.actors.worker.status, booking_id, "completed")
        await socket.until_seq(start + 3)
        await socket.synchronized()
        assert socket.seqs() == [start + 1, start + 2, start + 3]


@pytest.mark.parametrize("point", JOIN_POINTS)
async def test_rotating_the_refresh_token_during_a_join_closes_nothing(system: Scene, point: str) -> None:
    booking_id = await system.new_booking("confirmed")
    async with AsyncExitStack() as stack:
        fault = system.faults.arm(point)
        socket = await stack.enter_async_context(await system.watch(booking_id))
        await fault.reached_by_one()
        await off_loop(system.actors.employer.refresh)
        fault.release()
        await socket.joined()
        await off_loop(system.actors.worker.status, booking_id, "on_the_way")
        await socket.until_seq(4)
        await off_loop(system.actors.employer.refresh)
        await socket.send({"type": "authenticate", "token": system.actors.employer.token})
        await socket.next_of("authenticated")
        await off_loop(system.actors.worker.status, booking_id, "arrived")
        await socket.until_seq(5)
