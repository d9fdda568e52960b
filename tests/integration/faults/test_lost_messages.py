"""Redis takes a message and nobody hears it; or stops delivering on a connection that looks alive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from tests.support.actors import Actor
from tests.support.clock import steady
from tests.support.eventually import eventually_async
from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer
from tests.support.redis_proxy import RedisProxy
from tests.support.scene import Scene, off_loop, scene

pytestmark = pytest.mark.usefixtures("over_rarely")

CURE = 6.0
"""Seconds after which a comparison has brought what was lost."""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProxy]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server, RedisProxy(server.port) as running:
        yield running


@pytest.fixture(scope="module")
def system(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, proxy: RedisProxy
) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("lost"), postgres_server, redis_url=proxy.url) as running:
        yield running


@pytest.fixture
def swallowing(proxy: RedisProxy) -> Iterator[RedisProxy]:
    """Redis answers every PUBLISH and delivers none."""
    proxy.swallowed = 0
    proxy.swallowing = True
    yield proxy
    proxy.swallowing = False


async def test_a_swallowed_event_comes_by_the_comparison(system: Scene, swallowing: RedisProxy) -> None:
    booking_id = await system.new_booking("confirmed")
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(await system.watch(booking_id, pod=pod)) for pod in (0, 1)]
        for socket in sockets:
            await socket.joined()
        await off_loop(system.actors.worker.status, booking_id, "on_the_way")
        committed = steady()
        assert system.unpublished(booking_id) == [], "it must look published, or the relay would bring it"
        for socket in sockets:
            await socket.until_seq(4, CURE)
        assert steady() - committed < CURE
        assert swallowing.swallowed > 0
        swallowing.swallowing = False
        await off_loop(system.actors.worker.status, booking_id, "arrived")
        for socket in sockets:
            await socket.until_seq(5, 1)
            await socket.synchronized()
            assert socket.seqs() == [4, 5]


async def test_an_event_after_a_swallowed_one_brings_it_at_once_and_in_order(
    system: Scene, swallowing: RedisProxy
) -> None:
    booking_id = await system.new_booking("confirmed")
    async with await system.watch(booking_id) as socket:
        await socket.joined()
        await off_loop(system.actors.worker.status, booking_id, "on_the_way")
        swallowing.swallowing = False
        await off_loop(system.actors.worker.status, booking_id, "arrived")
        await socket.until_seq(5, 1)
        assert socket.seqs() == [4, 5]


async def test_a_swallowed_location_comes_by_the_comparison(system: Scene, swallowing: RedisProxy) -> None:
    booking_id = await system.new_booking()
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(await system.watch(booking_id, pod=pod)) for pod in (0, 1)]
        for socket in sockets:
            await socket.joined()
        await off_loop(system.actors.worker.track, booking_id, 28.1, 77.0)
        await off_loop(system.actors.worker.track, booking_id, 28.2, 77.0)
        for socket in sockets:
            assert (await socket.next_of("location_update", CURE))["lat"] == 28.2
        swallowing.swallowing = False
        await off_loop(system.actors.worker.track, booking_id, 28.3, 77.0)
        for socket in sockets:
            assert (await socket.next_of("location_update", 1))["lat"] == 28.3


async def test_a_revocation_whose_announcement_is_swallowed_closes_within_two_seconds(
    system: Scene, swallowing: RedisProxy
) -> None:
    booking_id = await system.new_booking("confirmed")
    employer = Actor(system.stack.base_url, system.actors.employer.user)
    employer.sign_in()
    async with AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(await system.watch(booking_id, pod=pod, who=employer)) for pod in (0, 1)
        ]
        for socket in sockets:
            await socket.joined()
        await off_loop(employer.logout)
        for socket in sockets:
            assert (await socket.closed(2))[0] == 4001
    assert swallowing.swallowed > 0
    employer.close()


async def test_a_subscription_that_went_deaf_is_noticed_by_the_heartbeat_and_made_anew(
    system: Scene, proxy: RedisProxy
) -> None:
    """A half-open connection: nothing arrives and nothing fails."""
    booking_id = await system.new_booking()
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(await system.watch(booking_id, pod=pod)) for pod in (0, 1)]
        for socket in sockets:
            await socket.joined()
        assert proxy.deafen() >= 2
        await off_loop(system.actors.worker.status, booking_id, "arrived")
        for socket in sockets:
            await socket.until_seq(5)

        async def live() -> bool:
            """Sooner than any comparison: through the new subscription."""
            await off_loop(system.actors.worker.track, booking_id, 28.0, 77.0)
            for socket in sockets:
                await socket.next_of("location_update", 0.3)
            return True

        await eventually_async(live, 30, "a position arrives live")
        await off_loop(system.actors.worker.status, booking_id, "completed")
        for socket in sockets:
            await socket.until_seq(6, 1)
            await socket.synchronized()
            assert socket.seqs() == [5, 6]
    for process in system.stack.ws:
        assert "heartbeat lost after" in process.log_text()
