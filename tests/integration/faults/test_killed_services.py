"""`kill -9` of an http or a ws process: nothing is missing and nothing comes twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack

import httpx
import pytest

from tests.support.eventually import eventually_async
from tests.support.faults import Action
from tests.support.postgres import PostgresServer
from tests.support.scene import Scene, off_loop, scene
from tests.support.sockets import Socket

pytestmark = pytest.mark.usefixtures("over_rarely")


@pytest.fixture(scope="module")
def relayed(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Scene]:
    """With the relay, and comparisons so rare that only the relay can bring what was not published."""
    directory = tmp_path_factory.mktemp("relayed")
    with scene(directory, postgres_server, HUB_COMPARISON_INTERVAL="60") as running:
        yield running


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Scene]:
    """Without a relay: only the comparison can bring it."""
    with scene(tmp_path_factory.mktemp("compared"), postgres_server, with_relay=False) as running:
        yield running


async def watchers(system: Scene, booking_id: str, stack: AsyncExitStack) -> list[Socket]:
    """One on each pod, and each user's notifications are watched too."""
    sockets = []
    for pod in (0, 1):
        sockets.append(await stack.enter_async_context(await system.watch(booking_id, pod=pod)))
        url = system.stack.notifications_url(pod)
        listener = await Socket.connect(url, token=system.actors.employer.token)
        sockets.append(await stack.enter_async_context(listener))
    for socket in sockets:
        await socket.joined()
    return sockets


async def set_out_and_die(system: Scene, booking_id: str, point: str, action: Action = "kill") -> None:
    """The worker sets out; the http process dies at `point` and is started again."""
    (http,) = system.stack.http
    system.faults.arm(point, action)
    with pytest.raises(httpx.TransportError):
        await off_loop(system.actors.worker.status, booking_id, "on_the_way")
    await eventually_async(lambda: not http.alive, 30, "the http process died")
    await off_loop(http.start)
    assert (await off_loop(system.actors.worker.booking, booking_id))["seq"] == 4


async def nothing_is_missing(system: Scene, booking_id: str, sockets: list[Socket]) -> None:
    starts = [socket.frames[0]["seq"] for socket in sockets]
    for socket, start in zip(sockets, starts, strict=True):
        await socket.until_seq(start + 1)
    await off_loop(system.actors.worker.status, booking_id, "arrived")
    await off_loop(system.actors.worker.status, booking_id, "completed")
    for socket, start in zip(sockets, starts, strict=True):
        await socket.until_seq(start + 3)
        await socket.synchronized()
        assert socket.seqs() == [start + 1, start + 2, start + 3]


async def test_the_relay_publishes_what_a_killed_process_committed(relayed: Scene) -> None:
    booking_id = await relayed.new_booking("confirmed")
    async with AsyncExitStack() as stack:
        sockets = await watchers(relayed, booking_id, stack)
        await set_out_and_die(relayed, booking_id, "committed, not published")
        await nothing_is_missing(relayed, booking_id, sockets)
        assert relayed.unpublished(booking_id) == []


async def test_what_was_published_but_not_marked_comes_once(relayed: Scene) -> None:
    booking_id = await relayed.new_booking("confirmed")
    async with AsyncExitStack() as stack:
        sockets = await watchers(relayed, booking_id, stack)
        await set_out_and_die(relayed, booking_id, "published, not marked")
        await eventually_async(lambda: not relayed.unpublished(booking_id), 30, "the relay published it again")
        await nothing_is_missing(relayed, booking_id, sockets)


@pytest.mark.slow
async def test_without_a_relay_the_comparison_finds_what_a_killed_process_committed(compared: Scene) -> None:
    booking_id = await compared.new_booking("confirmed")
    async with AsyncExitStack() as stack:
        sockets = await watchers(compared, booking_id, stack)
        await set_out_and_die(compared, booking_id, "committed, not published")
        await nothing_is_missing(compared, booking_id, sockets)
        assert compared.unpublished(booking_id) == [4]


@pytest.mark.slow
async def test_clients_of_a_killed_ws_process_resume_on_another(relayed: Scene) -> None:
    booking_id = await relayed.new_booking("confirmed")
    worker = relayed.actors.worker
    killed, other = relayed.stack.ws
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(await relayed.watch(booking_id, since=0)) for _ in range(5)]
        for socket in sockets:
            await socket.until_seq(3)
        await off_loop(worker.status, booking_id, "on_the_way")
        for socket in sockets[:2]:
            await socket.until_seq(4)
        killed.kill()
        for socket in sockets:
            await socket.closed()
        await off_loop(worker.status, booking_id, "arrived")
        resumed = []
        for socket in sockets:
            since = socket.seqs()[-1]
            resumed.append(await stack.enter_async_context(await relayed.watch(booking_id, pod=1, since=since)))
        await off_loop(worker.status, booking_id, "completed")
        for before, after in zip(sockets, resumed, strict=True):
            await after.until_seq(6)
            await after.synchronized()
            assert before.seqs() + after.seqs() == [1, 2, 3, 4, 5, 6]
    assert other.alive
    await off_loop(killed.start)
    async with await relayed.watch(booking_id, since=0) as socket:
        assert [frame["seq"] for frame in (await socket.until_seq(6))[1:]] == [1, 2, 3, 4, 5, 6]
