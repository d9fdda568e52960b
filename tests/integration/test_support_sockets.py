"""The recording WebSocket client, against a server that does what the test tells it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus

from tests.support.sockets import PlainSocket as Socket

Handler = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def server(handler: Handler, **options: object) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, **options) as running:  # type: ignore[arg-type]
        port = next(iter(running.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ws/"


async def test_frames_are_recorded_in_order_and_taken_once() -> None:
    async def send_events(connection: ServerConnection) -> None:
        await connection.send('{"type": "connection_established", "seq": 0}')
        for seq in (1, 2, 3):
            await connection.send(json.dumps({"type": "booking_status", "seq": seq}))
        async for message in connection:
            assert json.loads(message) == {"type": "ping"}
            await connection.send('{"type": "pong"}')

    async with server(send_events) as url, await Socket.connect(url) as socket:
        assert (await socket.joined())["seq"] == 0
        assert [frame["seq"] for frame in await socket.until_seq(2)] == [1, 2]
        assert [frame["seq"] for frame in await socket.synchronized()] == [3]
        assert socket.seqs() == [1, 2, 3]


async def test_a_close_ends_the_wait_and_shows_the_servers_code_and_reason() -> None:
    async def reject(connection: ServerConnection) -> None:
        await connection.close(4003, "not allowed")

    async with server(reject) as url, await Socket.connect(url) as socket:
        assert await socket.closed() == (4003, "not allowed")
        with pytest.raises(AssertionError, match="closed with"):
            await socket.next_frame(timeout=60)


async def test_what_does_not_come_is_an_error_that_shows_what_came() -> None:
    async def one_frame(connection: ServerConnection) -> None:
        await connection.send('{"type": "pong"}')
        await connection.wait_closed()

    async with server(one_frame) as url, await Socket.connect(url) as socket:
        with pytest.raises(AssertionError, match=r"not within 0.2 s; received 1 frames, last \[\{'type': 'pong'\}\]"):
            await socket.next_of("booking_status", timeout=0.2)


@pytest.mark.parametrize(
    ("how", "query"), [("query", "/ws/?since=7&token=a%2Bb"), ("ticket", "/ws/?since=7&ticket=a%2Bb")]
)
async def test_a_token_or_ticket_travels_in_the_query(how: str, query: str) -> None:
    async def echo(connection: ServerConnection) -> None:
        assert connection.request is not None
        await connection.send(json.dumps({"type": "path", "path": connection.request.path}))

    async with server(echo) as url:
        socket = await Socket.connect(url, token="a+b", since=7, how="query" if how == "query" else "ticket")
        assert (await socket.next_frame())["path"] == query
        await socket.close()


async def test_a_token_travels_as_a_subprotocol_with_origin_and_headers() -> None:
    async def echo(connection: ServerConnection) -> None:
        assert connection.request is not None
        headers = connection.request.headers
        wanted = ("Origin", "X-Test", "Sec-WebSocket-Protocol")
        await connection.send(json.dumps({"type": "headers"} | {name: headers[name] for name in wanted}))

    async with server(echo, subprotocols=["jwt"]) as url:
        socket = await Socket.connect(
            url, token="abc", how="subprotocol", origin="https://app.example", headers={"X-Test": "1"}
        )
        assert socket.connection.subprotocol == "jwt"
        frame = await socket.next_frame()
        assert (frame["Origin"], frame["X-Test"]) == ("https://app.example", "1")
        assert frame["Sec-WebSocket-Protocol"].replace(" ", "") == "jwt,abc"
        await socket.close()


async def test_a_dropped_connection_reaches_the_server_without_a_close_frame() -> None:
    codes: list[int | None] = []

    async def wait(connection: ServerConnection) -> None:
        await connection.wait_closed()
        codes.append(connection.close_code)

    async with server(wait) as url:
        socket = await Socket.connect(url)
        await socket.drop()
        assert not socket.is_open
        assert await socket.closed() == (1006, "")
    assert codes == [1006]


async def test_a_refused_handshake_raises_with_its_status() -> None:
    async def never(connection: ServerConnection) -> None:
        raise AssertionError("the handshake was refused")

    async with server(never, origins=["https://app.example"]) as url:
        with pytest.raises(InvalidStatus) as refusal:
            await Socket.connect(url, origin="https://evil.example")
        assert refusal.value.response.status_code == 403
