"""The channel `live` while Redis loses messages: every status once and in order, and no location goes back."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.eventually import eventually_async
from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer
from tests.support.redis_proxy import RedisProxy
from tests.support.scene import Scene, off_loop, scene
from tests.support.sockets import Frame, Socket
from tests.support.traffic import Traffic


class Broken:
    """Redis behind the proxy."""

    def __init__(self, server: RedisServer, proxy: RedisProxy) -> None:
        self.server, self.proxy = server, proxy

    def mix_up(self) -> None:
        self.proxy.disorder = random.Random(20261129)

    def swallow(self) -> None:
        self.proxy.swallowing = True

    def deafen(self) -> None:
        assert self.proxy.deafen() >= 2

    def restart(self) -> None:
        self.server.kill()

    def repair(self) -> None:
        self.proxy.disorder = None
        self.proxy.swallowing = False
        if not self.server.alive:
            self.server.start()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server, RedisProxy(server.port) as proxy:
        yield Broken(server, proxy)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, redis: Broken) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("live"), postgres_server, redis_url=redis.proxy.url) as running:
        yield running


async def watch(system: Scene, pod: int) -> tuple[Socket, dict[str, int]]:
    """The connection of a dispatcher, and the seq of each booking in the pages."""
    socket = await Socket.connect(system.stack.shared_url(pod), token=system.actors.admin.token)
    assert (await socket.next_frame())["type"] == "connected"
    await socket.send({"type": "subscribe", "channel": "live", "max_rate": 10})
    frames = await socket.frames_until(lambda frame: frame["type"] == "live_page" and frame.get("last", False))
    return socket, {each["booking_id"]: each["seq"] for page in frames for each in page.get("bookings", [])}


def about(socket: Socket, booking_id: str, kind: str) -> list[Frame]:
    return [frame for frame in socket.of_type(kind) if frame["booking_id"] == booking_id]


@pytest.mark.parametrize(
    "fault",
    [
        Broken.mix_up,
        pytest.param(Broken.swallow, marks=pytest.mark.slow),
        pytest.param(Broken.deafen, marks=pytest.mark.slow),
        pytest.param(Broken.restart, marks=pytest.mark.slow),
    ],
    ids=["lost, late and twice", "all lost", "deaf", "restarted empty"],
)
async def test_a_dispatcher_sees_every_status_once_in_order_and_locations_that_only_go_on(
    system: Scene, redis: Broken, fault: Callable[[Broken], None]
) -> None:
    bookings = [await system.new_booking() for _ in range(3)]
    async with AsyncExitStack() as stack:
        watches: list[tuple[Socket, dict[str, int]]] = []
        for pod in (0, 1):
            watches.append(await watch(system, pod))
            await stack.enter_async_context(watches[-1][0])
        stack.callback(redis.repair)
        with Traffic(system, bookings) as traffic:
            await off_loop(traffic.wait_calls, 12)
            await off_loop(fault, redis)
            await off_loop(traffic.wait_calls, 60)
            await off_loop(redis.repair)
            await off_loop(traffic.wait_calls, 12)
        newest: dict[str, Any] = {}
        for each in bookings:
            seq = (await off_loop(system.actors.employer.booking, each))["seq"]
            newest[each] = (seq, (await off_loop(system.actors.employer.location, each))["lat"])

        def complete() -> bool:
            return all(
                about(socket, each, "booking_status")[-1]["seq"] == seq
                and about(socket, each, "location_update")[-1]["lat"] == lat
                for socket, _ in watches
                for each, (seq, lat) in newest.items()
            )

        await eventually_async(complete, 30, "the newest status and location of each booking")
        for socket, first in watches:
            for each, (seq, _) in newest.items():
                seqs = [frame["seq"] for frame in about(socket, each, "booking_status")]
                assert seqs == list(range(first[each] + 1, seq + 1))
                latitudes = [frame["lat"] for frame in about(socket, each, "location_update")]
                assert latitudes == sorted(set(latitudes))
