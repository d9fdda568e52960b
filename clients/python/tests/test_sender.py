"""Locations over a booking's connection, and over REST while there is none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from scripted_server import ScriptedServer, in_seconds, snapshot
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from hunarmitra_realtime import (
    BookingStream,
    BookingSubscription,
    LocationSender,
    Point,
    Progress,
    RealtimeConnection,
    Session,
    SharingEndedError,
    send_locations,
)
from hunarmitra_realtime.events import Backoff

Frame = dict[str, Any]
BACKOFF = Backoff(shortest=0.001, longest=0.005)


def accepted(next_in_ms: int = 2000) -> Frame:
    return {"type": "location_accepted", "booking_id": "b", "timestamp": in_seconds(0), "next_in_ms": next_in_ms}


def error(code: str, **keys: Any) -> Frame:
    return {"type": "error", "code": code, "message": f"It is {code}.", "booking_id": "b", **keys}


@dataclass
class Server:
    """Answers locations over connections from a script, and notes those over REST. Time passes only in sleeps."""

    answers: list[Frame | None] = field(default_factory=list)
    """None: the connection is cut instead."""
    received: list[Frame] = field(default_factory=list)
    posted: list[Frame] = field(default_factory=list)
    connections: list[ServerConnection] = field(default_factory=list)
    now: float = 0.0
    slept: list[float] = field(default_factory=list)
    on_sleep: Callable[[], Any] | None = None

    async def handle(self, connection: ServerConnection) -> None:
        assert connection.request
        self.connections.append(connection)
        if connection.request.path == "/ws/":
            times = {"heartbeat_seconds": 30, "expires_at": in_seconds(3600), "server_time": in_seconds(0)}
            await connection.send(json.dumps({"type": "connected", "max_subscriptions": 20, **times}))
        else:
            await connection.send(json.dumps(snapshot({"seq": 1, "status": "on_the_way"})))
        try:
            async for text in connection:
                await self.answer(connection, json.loads(text))
        except ConnectionClosed:
            pass

    async def answer(self, connection: ServerConnection, message: Frame) -> None:
        if message["type"] == "subscribe":
            await connection.send(json.dumps({**snapshot({"seq": 1, "status": "on_the_way"}), "booking_id": "b"}))
            return
        self.received.append(message)
        found = self.answers.pop(0) if self.answers else accepted()
        if found is None:
            connection.transport.abort()
        else:
            named = {} if found.get("code") == "unknown_type" else {"id": message["id"]}
            await connection.send(json.dumps({**found, **named}))

    async def tell(self, frame: Frame) -> None:
        await self.connections[-1].send(json.dumps(frame))

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.on_sleep:
            self.on_sleep()
            await asyncio.sleep(3600)  # until the test's frame ends the pause
        self.now += seconds

    def rest(self, request: httpx.Request) -> httpx.Response:
        self.posted.append(json.loads(request.content))
        return httpx.Response(200, json={"status": "success", "next_in_ms": 2000})

    def session(self) -> Session:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.rest))
        return Session("http://server", access="a", client=client)

    def sender(self, session: Session, stream: BookingStream | BookingSubscription) -> LocationSender:
        return LocationSender(session, "b", stream=stream, sleep=self.sleep, clock=lambda: self.now)


@asynccontextmanager
async def connected(server: Server, *, shared: bool = False) -> AsyncIterator[BookingStream | BookingSubscription]:
    async with serve(
        server.handle, "127.0.0.1", 0, select_subprotocol=ScriptedServer.select, close_timeout=1
    ) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        if shared:
            async with RealtimeConnection(url, token="token", backoff=BACKOFF) as connection:
                yield connection.booking("b")
        else:
            async with BookingStream(url, "b", token="token", backoff=BACKOFF) as stream:
                yield stream


async def live(stream: BookingStream | BookingSubscription) -> None:
    async with asyncio.timeout(30):
        async for event in stream:
            if event.state and event.state.name == "live":
                return


@pytest.mark.parametrize("shared", [False, True], ids=["own", "/ws/"])
async def test_locations_go_over_the_connection_at_the_servers_pace(shared: bool) -> None:
    server = Server([accepted(3000), accepted(100)])
    async with server.session() as session, connected(server, shared=shared) as stream:
        await live(stream)
        sender = server.sender(session, stream)
        sent = await sender.send(28.6, 77.2, accuracy=9, heading=90, speed=8)
        assert (sent.accepted, sent.next_in, sent.problem) == (True, 3, "")
        await sender.pause()
        assert (await sender.send(28.61, 77.2)).next_in == 0.2, "never more than 10 messages a second"
    address = {"booking_id": "b"} if shared else {}
    first, second = server.received
    assert first.pop("id") != second.pop("id")
    assert first == {"type": "location", "lat": 28.6, "lng": 77.2, "accuracy": 9, "heading": 90, "speed": 8, **address}
    assert second == {"type": "location", "lat": 28.61, "lng": 77.2, **address}
    assert server.slept == [3]
    assert server.posted == []


async def test_somebody_who_begins_to_watch_ends_the_pause() -> None:
    server = Server([accepted(15_000)])
    telling: list[asyncio.Task[None]] = []
    async with server.session() as session, connected(server) as stream:
        await live(stream)
        sender = server.sender(session, stream)
        assert (await sender.send(28.6, 77.2)).next_in == 15
        server.now = 5.0
        pace = {"type": "pace", "booking_id": "b", "next_in_ms": 2000}
        server.on_sleep = lambda: telling.append(asyncio.create_task(server.tell(pace)))
        async with asyncio.timeout(30):
            await sender.pause()
    assert server.slept == [10], "the two seconds were over"
    assert len(telling) == 1


async def test_a_pace_does_not_end_a_wait_that_the_server_asked_for() -> None:
    server = Server([error("unavailable", retry_in_ms=4000)])
    async with server.session() as session, connected(server) as stream:
        await live(stream)
        sender = server.sender(session, stream)
        sent = await sender.send(28.6, 77.2)
        assert (sent.accepted, sent.next_in, sent.problem) == (False, 4, "It is unavailable.")
        assert stream.on_pace
        stream.on_pace(2)
        await sender.pause()
    assert server.slept == [4]


@pytest.mark.parametrize(
    ("answer", "wait"), [(error("too_soon", retry_in_ms=700), 0.7), (error("stale_position"), 2)], ids=["soon", "stale"]
)
async def test_a_location_that_is_too_soon_or_stale_is_not_the_end(answer: Frame, wait: float) -> None:
    server = Server([answer])
    async with server.session() as session, connected(server) as stream:
        await live(stream)
        sender = server.sender(session, stream)
        sent = await sender.send(28.6, 77.2)
        assert (sent.accepted, sent.next_in) == (False, wait)
        assert (await sender.send(28.6, 77.2)).accepted


@pytest.mark.parametrize("code", ["not_tracked", "not_allowed", "invalid_message"])
async def test_a_rejection_ends_it(code: str) -> None:
    server = Server([error(code)])
    async with server.session() as session, connected(server) as stream:
        await live(stream)
        with pytest.raises(SharingEndedError, match=f"It is {code}.") as ended:
            await server.sender(session, stream).send(28.6, 77.2)
    assert ended.value.code == code
    assert server.posted == []


async def test_a_lost_connection_is_replaced_by_rest_at_once_and_used_again_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hunarmitra_realtime.booking.ANSWER_SECONDS", 3600)
    server = Server([None])
    async with server.session() as session, connected(server) as stream:
        sender = server.sender(session, stream)
        await live(stream)
        async with asyncio.timeout(30):
            assert (await sender.send(28.6, 77.2)).accepted
        assert [each["lat"] for each in server.received] == [28.6]
        assert server.posted == [{"lat": 28.6, "lng": 77.2}]
        await live(stream)
        assert (await sender.send(28.61, 77.2)).accepted
    assert len(server.posted) == 1
    assert server.received[1]["lat"] == 28.61


async def test_a_connection_that_does_not_answer_is_replaced_by_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hunarmitra_realtime.booking.ANSWER_SECONDS", 0.01)
    server = Server([{"type": "pong"}])
    async with server.session() as session, connected(server) as stream:
        await live(stream)
        assert (await server.sender(session, stream).send(28.6, 77.2)).accepted
    assert len(server.posted) == 1


async def test_an_older_server_gets_them_over_rest() -> None:
    server = Server([error("unknown_type")])
    async with server.session() as session, connected(server) as stream:
        await live(stream)
        sender = server.sender(session, stream)
        assert (await sender.send(28.6, 77.2)).accepted
        assert (await sender.send(28.61, 77.2)).accepted
    assert len(server.received) == 1
    assert [each["lat"] for each in server.posted] == [28.6, 28.61]


async def test_a_track_is_sent_over_the_connection() -> None:
    server = Server()
    progress: list[Progress] = []
    async with server.session() as session, connected(server) as stream:
        await live(stream)
        reading = asyncio.create_task(stream.discard())
        await send_locations(
            session,
            "b",
            [Point(28.60, 77.2, 0), Point(28.62, 77.2, 4)],
            stream=stream,
            report=progress.append,
            sleep=server.sleep,
            clock=lambda: server.now,
        )
    await asyncio.wait_for(reading, 30)
    assert [each["lat"] for each in server.received] == [28.60, 28.61, 28.62]
    assert [each.part for each in progress] == [0, 0.5, 1]
    assert server.posted == []
