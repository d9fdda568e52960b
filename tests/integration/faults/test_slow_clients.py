"""A client that stops reading, on stock uvicorn: what waits for it is bounded, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.eventually import HANG
from tests.support.postgres import PostgresServer
from tests.support.scene import Scene, off_loop, scene
from tests.support.sockets import Frame, SharedView, Socket

SEND_BUFFER = 1048576
"""Bytes of status frames that may wait for one socket."""

LONG_NAME = "अ" * 120
"""An actor of 360 bytes, so that frames are long."""

RECEIVE_BUFFER = 8192

NO_PINGS = ("--ws-ping-interval", "3600", "--ws-ping-timeout", "3600")
"""Its default disconnects a client that answers no ping for 20 s, which on a slow machine the clients here do not."""

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("over")]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Scene]:
    with scene(
        tmp_path_factory.mktemp("slow-clients"),
        postgres_server,
        ws=1,
        ws_with="uvicorn",
        ws_options=NO_PINGS,
        WS_SEND_BUFFER_BYTES=str(SEND_BUFFER),
        HUB_COMPARISON_INTERVAL="60",
        RELAY_INTERVAL="0.05",
    ) as running:
        yield running


class SlowClient:
    """Reads nothing between `joined` and `read_on`; its own buffers are small."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.frames: list[Frame] = []

    @classmethod
    @asynccontextmanager
    async def watching(cls, system: Scene, booking_id: str) -> AsyncIterator[SlowClient]:
        url = f"{system.stack.booking_url(booking_id)}?token={system.actors.employer.token}"
        view = SharedView.of(url, None) if Socket.over_shared else None
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        plain.connect(("127.0.0.1", system.stack.ws[0].port))
        plain.setblocking(False)
        async with connect(
            view.url if view else url,
            sock=plain,
            compression=None,
            max_queue=1,
            ping_interval=None,
            close_timeout=1,
            proxy=None,
        ) as connection:
            client = cls(connection)
            if view:
                assert json.loads(await connection.recv())["type"] == "connected"
                await connection.send(json.dumps(view.subscribe))
            client.frames.append(json.loads(await connection.recv()))
            yield client

    async def read_until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(HANG):
            while not condition():
                self.frames.append(json.loads(await self._connection.recv()))

    async def ping(self) -> None:
        await self._connection.send('{"type": "ping"}')

    async def read_to_the_end(self) -> int:
        """Everything there is; the close code."""
        try:
            async for message in self._connection:
                self.frames.append(json.loads(message))
        except ConnectionClosed:
            pass
        assert self._connection.close_code is not None
        return self._connection.close_code

    @property
    def port(self) -> int:
        return int(self._connection.local_address[1])

    def seqs(self) -> list[int]:
        return [frame["seq"] for frame in self.frames[1:] if frame["type"] == "booking_status"]

    def latitudes(self) -> list[float]:
        return [frame["lat"] for frame in self.frames if frame["type"] == "location_update"]


async def test_a_client_that_does_not_read_is_closed_4008_and_resumes_complete(system: Scene) -> None:
    """Ten megabytes wait for it; the system's own buffers hold a part, the lane its limit, and then it ends."""
    booking_id = await system.new_booking("confirmed")
    count = 16000
    async with SlowClient.watching(system, booking_id) as slow, await system.watch(booking_id) as quick:
        await quick.joined()
        newest = await off_loop(system.insert_events, booking_id, count, LONG_NAME)
        await quick.until_seq(newest, HANG)
        assert quick.seqs() == list(range(4, newest + 1))
        code = await slow.read_to_the_end()
        assert code == 4008
        got = slow.seqs()
        assert got == list(range(4, 4 + len(got)))
        assert len(got) < count, "everything waited for it somewhere"
    async with await system.watch(booking_id, since=newest - 500) as resumed:
        await resumed.until_seq(newest, HANG)
        assert resumed.seqs() == list(range(newest - 499, newest + 1))
    async with await system.watch(booking_id, since=got[-1]) as complete:
        # More than fits into the send buffer: it is sent as it is read, not closed 4008 each time it comes back.
        assert (await complete.joined())["replay"] == newest - got[-1]
        await complete.until_seq(newest, HANG)
        assert complete.seqs() == list(range(got[-1] + 1, newest + 1))


def unsent(server_port: int, client_port: int) -> int:
    """Bytes that the kernel holds on the server's side of a connection."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if (int(local.split(":")[1], 16), int(remote.split(":")[1], 16)) == (server_port, client_port):
            return int(queues.split(":")[0], 16)
    raise AssertionError("the server has no such connection")


async def fill_up(system: Scene, booking_id: str, slow: SlowClient, quick: Socket) -> int:
    """Send events until the kernel takes no more for the slow client: a few hundred kilobytes wait in its lane.

    The newest event's number.
    """
    held = -1
    for _ in range(100):
        newest = await off_loop(system.insert_events, booking_id, 250, LONG_NAME)
        await quick.until_seq(newest, HANG)
        before, held = held, unsent(system.stack.ws[0].port, slow.port)
        if held == before:
            return newest
    raise AssertionError(f"the kernel takes everything: {held} bytes")


async def test_a_client_that_reads_on_in_time_has_everything_and_only_the_newest_location(system: Scene) -> None:
    booking_id = await system.new_booking("confirmed")
    async with SlowClient.watching(system, booking_id) as slow, await system.watch(booking_id) as quick:
        await quick.joined()
        newest = await fill_up(system, booking_id, slow, quick)
        latitudes = [round(20 + number / 100, 2) for number in range(50)]
        for latitude in latitudes:
            await off_loop(system.actors.worker.track, booking_id, latitude, 77.0)
            assert (await quick.next_of("location_update"))["lat"] == latitude
        await slow.read_until(lambda: slow.latitudes()[-1:] == latitudes[-1:])
        assert slow.seqs() == list(range(4, newest + 1)), "a position overtook an event, or an event is missing"
        assert len(slow.latitudes()) <= 2, "positions queued up behind each other"
        await off_loop(system.actors.worker.status, booking_id, "on_the_way")
        await slow.read_until(lambda: slow.seqs()[-1:] == [newest + 1])
        assert slow.seqs() == list(range(4, newest + 2))


async def test_no_location_reaches_a_slow_client_after_the_booking_ended(system: Scene) -> None:
    """It waited for its turn when the booking was cancelled: it is forgotten."""
    booking_id = await system.new_booking("confirmed")
    async with SlowClient.watching(system, booking_id) as slow, await system.watch(booking_id) as quick:
        await quick.joined()
        newest = await fill_up(system, booking_id, slow, quick)
        await off_loop(system.actors.worker.track, booking_id, 20.0, 77.0)
        await quick.next_of("location_update")
        await off_loop(system.actors.employer.status, booking_id, "cancelled")
        await slow.read_until(lambda: slow.seqs()[-1:] == [newest + 1])
        await slow.ping()
        await slow.read_until(lambda: slow.frames[-1]["type"] == "pong")
        assert slow.latitudes() == []
        assert slow.seqs() == list(range(4, newest + 2))
