"""One connection with many subscriptions, against a small server that speaks `/ws/`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from scripted_server import in_seconds, snapshot
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from hunarmitra_realtime import Event, LiveSubscription, RealtimeConnection, Session
from hunarmitra_realtime.base import Stream
from hunarmitra_realtime.events import Backoff

A, B = "7b0e3c52-6a8f-4d0a-9a53-1f2d0f6a4c11", "7b0e3c52-6a8f-4d0a-9a53-1f2d0f6a4c22"
BACKOFF = Backoff(shortest=0.001, longest=0.005)
Frame = dict[str, Any]


class Server:
    """Keeps the connections and their messages; the test answers."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.messages: asyncio.Queue[Frame] = asyncio.Queue()
        self.url = ""

    async def handle(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        times = {"heartbeat_seconds": 30, "expires_at": in_seconds(3600), "server_time": in_seconds(0)}
        await self.send({"type": "connected", "message": "Connected", "max_subscriptions": 20, **times})
        try:
            async for text in connection:
                self.messages.put_nowait(json.loads(text))
        except ConnectionClosed:
            pass

    async def next(self) -> Frame:
        return await asyncio.wait_for(self.messages.get(), 30)

    async def send(self, *frames: Frame) -> None:
        for frame in frames:
            await self.connections[-1].send(json.dumps(frame))

    def cut(self) -> None:
        self.connections[-1].transport.abort()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    async with serve(
        made.handle, "127.0.0.1", 0, select_subprotocol=lambda *_: Subprotocol("jwt"), close_timeout=1
    ) as listening:
        made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield made


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[RealtimeConnection]:
    async with RealtimeConnection(server.url, token="token", backoff=BACKOFF) as connection:
        yield connection


async def until(stream: Stream, found: Callable[[Event], bool]) -> list[Event]:
    """The events of a stream up to the first that is looked for."""
    events: list[Event] = []
    async with asyncio.timeout(30):
        async for event in stream:
            events.append(event)
            if found(event):
                return events
    raise AssertionError(f"the stream has ended: {stream.state}")


async def rest(stream: Stream) -> list[Event]:
    """The events until the stream ends."""
    async with asyncio.timeout(30):
        return [event async for event in stream]


def of(kind: str) -> Callable[[Event], bool]:
    return lambda event: event.kind == kind


def established(booking_id: str, **keys: Any) -> Frame:
    return {**snapshot({"seq": 3, **keys}), "booking_id": booking_id}


def status(booking_id: str, seq: int, name: str = "on_the_way") -> Frame:
    keys = {"type": "booking_status", "event_type": f"booking_{name}", "actor": "Ravi", "timestamp": in_seconds(-1)}
    return {**keys, "booking_id": booking_id, "seq": seq, "status": name}


def place(booking_id: str, lat: float) -> Frame:
    return {"type": "location_update", "booking_id": booking_id, "lat": lat, "lng": 77.2, "timestamp": in_seconds(-1)}


def ended(code: int, booking_id: str = A, message: str = "No longer.") -> Frame:
    return {
        "type": "unsubscribed",
        "channel": "booking",
        "booking_id": booking_id,
        "code": code,
        "message": message,
    }


async def test_many_subscriptions_are_one_message_and_each_stream_gets_its_own_frames(server: Server) -> None:
    async with connected(server) as connection:
        first, second, bell = connection.booking(A), connection.booking(B, since=2), connection.notifications(since=4)
        assert await server.next() == {"type": "subscribe", "channel": "notifications", "since": 4}
        assert await server.next() == {
            "type": "subscribe", "channel": "booking", "booking_ids": [A, B], "since": {B: 2},
        }  # fmt: skip
        await server.send(established(A), established(B, replay=1), status(B, 3), status(A, 4, "arrived"))
        await server.send({**snapshot({"seq": 5, "unread": 1}), "channel": "notifications"})
        await server.send({"type": "notification", "channel": "notifications", "seq": 5, "id": "n"})
        assert [event.data and event.data["seq"] for event in (await until(first, of("status")))[-1:]] == [4]
        assert [event.data and event.data["seq"] for event in (await until(second, of("status")))[-1:]] == [3]
        assert (await until(bell, of("notification")))[-1].data == {
            "type": "notification", "channel": "notifications", "seq": 5, "id": "n",
        }  # fmt: skip
        assert (first.status, second.seq, bell.unread, len(server.connections)) == ("arrived", 3, 1, 1)
    assert [stream.state.reason for stream in (first, second, bell)] == ["stopped"] * 3


async def test_after_a_cut_each_stream_resumes_after_its_own_seq(server: Server) -> None:
    async with connected(server) as connection:
        first, second = connection.booking(A), connection.booking(B)
        await server.next()
        await server.send(established(A), established(B), status(A, 4))
        await until(first, of("status"))
        await until(second, of("snapshot"))
        server.cut()
        assert (await server.next())["since"] == {A: 4, B: 3}
        await server.send(established(A, seq=5, replay=1), status(A, 5), established(B, seq=4, replay=1), status(B, 4))
        names = [event.state.name for event in await until(second, of("status")) if event.state]
        assert names == ["reconnecting", "connecting", "live"]
        assert ((await until(first, of("status")))[-1].data or {})["seq"] == 5
        assert len(server.connections) == 2


@pytest.mark.parametrize(("code", "reason"), [(4003, "forbidden"), (4004, "not_found")])
async def test_a_subscription_that_the_server_ends_closes_alone(server: Server, code: int, reason: str) -> None:
    async with connected(server) as connection:
        first, second = connection.booking(A), connection.booking(B)
        await server.next()
        await server.send(established(A), established(B), place(A, 28.5))
        await until(first, of("location"))
        await server.send(ended(code), status(B, 4))
        assert [event.kind for event in await rest(first)] == ["location", "state"]
        assert (first.state.reason, first.state.code, first.state.message) == (reason, code, "No longer.")
        assert first.location is None
        await until(second, of("status"))
        assert connection.state.name == "live"
        again = connection.booking(A)
        assert await server.next() == {"type": "subscribe", "channel": "booking", "booking_id": A}
        await again.stop()
        assert await server.next() == {"type": "unsubscribe", "channel": "booking", "booking_id": A}


async def test_a_subscription_that_overflowed_or_is_one_too_many_is_requested_again(server: Server) -> None:
    async with connected(server) as connection:
        stream = connection.booking(A, since=0)
        assert (await server.next())["since"] == 0
        for code in (4029, 1011):
            await server.send(ended(code))
            assert (await server.next())["since"] == 0
        await server.send(established(A, seq=1, replay=1), status(A, 1), ended(4008))
        assert (await server.next())["since"] == 1
        states = [event.state for event in await until(stream, of("status")) if event.state]
        assert [state.code for state in states if state.name == "reconnecting"] == [4029, 1011]


async def test_a_gap_subscribes_again_and_gives_no_later_event(server: Server) -> None:
    async with connected(server) as connection:
        stream = connection.booking(A)
        await server.next()
        await server.send(established(A), status(A, 5))
        assert (await server.next())["since"] == 3
        await server.send(status(A, 6))  # of the subscription before
        await server.send(established(A, seq=6, replay=3), *(status(A, seq) for seq in (4, 5, 6)))
        events = await until(stream, lambda event: event.kind == "status" and (event.data or {})["seq"] == 6)
        assert [event.data["seq"] for event in events if event.kind == "status" and event.data] == [4, 5, 6]
        assert len(server.connections) == 1


async def test_stop_unsubscribes_and_the_connection_lives_on(server: Server) -> None:
    async with connected(server) as connection:
        async with connection.booking(A) as stream, connection.notifications() as bell:
            await server.next()
            await server.next()
            await server.send(established(A))
            await until(stream, of("snapshot"))
        assert bell.state.reason == "stopped"
        requests = [await server.next() for _ in range(2)]
        assert {"type": "unsubscribe", "channel": "booking", "booking_id": A} in requests
        assert {"type": "unsubscribe", "channel": "notifications"} in requests
        assert connection.state.name == "live"


async def test_live_gives_pages_and_then_changes_of_the_bookings_in_them(server: Server) -> None:
    async with connected(server) as connection:
        live = connection.live([76, 28, 78, 29], max_rate=0.5)
        assert await server.next() == {
            "type": "subscribe",
            "channel": "live",
            "bbox": [76, 28, 78, 29],
            "max_rate": 0.5,
        }
        known = {"booking_id": A, "seq": 3, "status": "confirmed", "location": None}
        await server.send(status(A, 3), {"type": "live_page", "bookings": [known]})
        await server.send(
            {"type": "live_page", "bookings": [], "last": True}, status(A, 3), status(A, 4), place(A, 28.1)
        )
        await server.send(place(B, 28.2), status(B, 9), place(B, 28.3), {"type": "live_left", "booking_id": B})
        await server.send(status(A, 5, "completed"), status(A, 6), {"type": "live_left", "booking_id": B})
        told = told_of_live(await until(live, lambda event: (event.data or {}).get("status") == "completed"))
        assert told == [
            ("page", True, False), ("page", False, True), ("status", A, 4), ("location", A, 28.1), ("status", B, 9),
            ("location", B, 28.3), ("left", B, None), ("status", A, 5),
        ]  # fmt: skip
        live.watch()
        assert await server.next() == {"type": "subscribe", "channel": "live"}
        await server.send({"type": "live_page", "bookings": [], "last": True})
        assert ("page", True, True) in told_of_live(await until(live, of("page")))
        server.cut()
        assert await server.next() == {"type": "subscribe", "channel": "live"}
        await server.send({"type": "unsubscribed", "channel": "live", "code": 4003, "message": "Staff only."})
        await rest(live)
        assert (live.state.reason, live.state.code) == ("forbidden", 4003)


def told_of_live(events: list[Event]) -> list[tuple[Any, ...]]:
    told: list[tuple[Any, ...]] = []
    for event in events:
        data = event.data or {}
        if event.kind == "page":
            told.append(("page", data["first"], data["last"]))
        elif event.kind != "state":
            told.append((event.kind, data["booking_id"], data.get("seq", data.get("lat"))))
    return told


@pytest.mark.parametrize("bbox", [[1, 2, 3], [0, 10, 1, 9], [0, 0, 181, 1], [0, float("nan"), 1, 1]])
async def test_a_wrong_box_is_an_error_before_anything_is_sent(bbox: list[float]) -> None:
    connection = RealtimeConnection("http://127.0.0.1:1", token="token")
    with pytest.raises(ValueError, match="bbox"):
        connection.live(bbox)
    with pytest.raises(ValueError, match="max_rate"):
        connection.live(max_rate=0)


async def test_a_channel_has_one_subscription_and_a_closed_connection_none(server: Server) -> None:
    async with connected(server) as connection:
        connection.booking(A)
        with pytest.raises(ValueError, match="already"):
            connection.booking(A.upper().replace("-", ""))
    with pytest.raises(ValueError, match="closed"):
        connection.booking(B)


async def test_nobody_signed_in_closes_every_stream(server: Server) -> None:
    async with Session(server.url) as session, RealtimeConnection(server.url, token=session.token) as connection:
        streams: list[Stream] = [connection.booking(A), connection.live()]
        for stream in streams:
            await rest(stream)
        assert [stream.state.reason for stream in streams] == ["unauthenticated"] * 2
        assert isinstance(streams[1], LiveSubscription)
        assert server.connections == []


async def test_an_error_that_names_no_channel_is_told_to_all(server: Server) -> None:
    async with connected(server) as connection:
        first, second = connection.booking(A), connection.notifications()
        await server.next()
        await server.send({"type": "error", "code": "rate_limited", "message": "Slow down."})
        for stream in (first, second):
            assert ((await until(stream, of("error")))[-1].data or {})["code"] == "rate_limited"


async def test_a_new_token_is_asked_for_until_there_is_one(server: Server) -> None:
    asked: list[bool] = []

    def token(refresh: bool) -> str:
        asked.append(refresh)
        if len(asked) == 2:
            raise OSError("no network")
        return "token"

    async with RealtimeConnection(server.url, token=token, backoff=BACKOFF) as connection:
        connection.booking(A)
        await server.next()
        await server.connections[-1].close(4001)
        await server.next()
    assert asked == [False, True, True]
