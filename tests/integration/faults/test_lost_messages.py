"""Redis takes a message and nobody hears it; or stops delivering on a connection that looks alive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.actors import Actor
from tests.support.eventually import eventually_async
from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer
from tests.support.redis_proxy import RedisProxy
from tests.support.scene import Scene, off_loop, scene

pytestmark = pytest.mark.usefixtures("over_rarely")


@dataclass
class Lossy:
    """A system behind a proxy that can lose messages."""

    system: Scene
    proxy: RedisProxy

    @contextmanager
    def swallowing(self) -> Iterator[None]:
        """Let Redis answer every PUBLISH and deliver none, until the block ends; at least one is swallowed."""
        self.proxy.swallowed = 0
        self.proxy.swallowing = True
        try:
            yield
        finally:
            self.proxy.swallowing = False
        assert self.proxy.swallowed > 0


@contextmanager
def lossy(directory: Path, postgres: PostgresServer, **variables: str) -> Iterator[Lossy]:
    with (
        RedisServer(directory) as server,
        RedisProxy(server.port) as proxy,
        scene(directory, postgres, redis_url=proxy.url, **variables) as system,
    ):
        yield Lossy(system, proxy)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Lossy]:
    """With the usual comparison, every five seconds."""
    with lossy(tmp_path_factory.mktemp("compared"), postgres_server) as running:
        yield running


@pytest.fixture(scope="module")
def notified(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Lossy]:
    """With comparisons so rare that only a message, or what notices that one is missing, can bring an event."""
    intervals = {"HUB_COMPARISON_INTERVAL": "60", "HUB_HEARTBEAT_TIMEOUT": "3"}
    with lossy(tmp_path_factory.mktemp("notified"), postgres_server, **intervals) as running:
        yield running


async def test_a_swallowed_event_comes_by_the_comparison(compared: Lossy) -> None:
    system = compared.system
    booking_id = await system.new_booking("confirmed")
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(await system.watch(booking_id, pod=pod)) for pod in (0, 1)]
        for socket in sockets:
            await socket.joined()
        with compared.swallowing():
            await off_loop(system.actors.worker.status, booking_id, "on_the_way")
            assert system.unpublished(booking_id) == [], "it must look published, or the relay would bring it"
            for socket in sockets:
                await socket.until_seq(4)
        await off_loop(system.actors.worker.status, booking_id, "arrived")
        for socket in sockets:
            await socket.until_seq(5)
            await socket.synchronized()
            assert socket.seqs() == [4, 5]


async def test_an_event_after_a_swallowed_one_brings_it_at_once_and_in_order(notified: Lossy) -> None:
    system = notified.system
    booking_id = await system.new_booking("confirmed")
    async with await system.watch(booking_id) as socket:
        await socket.joined()
        with notified.swallowing():
            await off_loop(system.actors.worker.status, booking_id, "on_the_way")
        await off_loop(system.actors.worker.status, booking_id, "arrived")
        await socket.until_seq(5)
        assert socket.seqs() == [4, 5]


async def test_a_swallowed_location_comes_by_the_comparison(compared: Lossy) -> None:
    system = compared.system
    booking_id = await system.new_booking()
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(await system.watch(booking_id, pod=pod)) for pod in (0, 1)]
        for socket in sockets:
            await socket.joined()
        with compared.swallowing():
            await off_loop(system.actors.worker.track, booking_id, 28.1, 77.0)
            await off_loop(system.actors.worker.track, booking_id, 28.2, 77.0)
            for socket in sockets:
                await socket.frames_until(lambda frame: frame.get("lat") == 28.2)
        await off_loop(system.actors.worker.track, booking_id, 28.3, 77.0)
        for socket in sockets:
            assert (await socket.next_of("location_update"))["lat"] == 28.3


async def test_a_revocation_whose_announcement_is_swallowed_closes_by_the_next_query(notified: Lossy) -> None:
    """The processes ask for revocations once a second (`HUB_REVOCATION_INTERVAL`)."""
    system = notified.system
    booking_id = await system.new_booking("confirmed")
    employer = Actor(system.stack.base_url, system.actors.employer.user)
    employer.sign_in()
    async with AsyncExitStack() as stack:
        stack.callback(employer.close)
        sockets = [
            await stack.enter_async_context(await system.watch(booking_id, pod=pod, who=employer)) for pod in (0, 1)
        ]
        for socket in sockets:
            await socket.joined()
        with notified.swallowing():
            await off_loop(employer.logout)
            for socket in sockets:
                assert (await socket.closed())[0] == 4001


async def test_a_subscription_that_went_deaf_is_noticed_by_the_heartbeat_and_made_anew(notified: Lossy) -> None:
    """A half-open connection: nothing arrives and nothing fails."""
    system = notified.system
    booking_id = await system.new_booking()
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(await system.watch(booking_id, pod=pod)) for pod in (0, 1)]
        for socket in sockets:
            await socket.joined()
        assert notified.proxy.deafen() >= 2
        await off_loop(system.actors.worker.status, booking_id, "arrived")
        for socket in sockets:
            await socket.until_seq(5)

        async def live() -> bool:
            """Through the new subscription."""
            await off_loop(system.actors.worker.track, booking_id, 28.0, 77.0)
            for socket in sockets:
                await socket.synchronized()
            return all(socket.of_type("location_update") for socket in sockets)

        await eventually_async(live, message="a position arrives live", interval=0.2)
        await off_loop(system.actors.worker.status, booking_id, "completed")
        for socket in sockets:
            await socket.until_seq(6)
            await socket.synchronized()
            assert socket.seqs() == [5, 6]
    for process in system.stack.ws:
        assert "heartbeat lost after" in process.log_text()
