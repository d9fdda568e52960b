"""A WebSocket client that records everything it receives and waits for conditions."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, ClassVar, Literal, Self
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_connection
from websockets.exceptions import ConnectionClosed

from hunarmitra.protocol.close_codes import CloseCode
from tests.support.clock import steady
from tests.support.frames import problems_of_frame

PATIENCE = 30.0
"""Seconds for what comes at once: far more than a slow machine needs, and half of the longest time between comparisons
with the database, so that a message that is never sent is noticed."""

Frame = dict[str, Any]
Presentation = Literal["query", "subprotocol", "ticket"]


class Socket:
    """One connection. `frames` are all received frames, decoded; `cursor` is how many of them the helpers have read.

    A rejected handshake (HTTP 403) raises websockets' InvalidStatus from `connect`. With `over_shared` it goes to
    `/ws/` and subscribes to what the URL names: the fixture `over` runs a test both ways.
    """

    over_shared: ClassVar[bool] = False

    def __init__(self, connection: ClientConnection, shared: SharedView | None = None) -> None:
        self.connection = connection
        self._shared = shared
        self.frames: list[Frame] = []
        self.problems: list[str] = []
        self.cursor = 0
        self._news = asyncio.Event()
        self._close: tuple[int, str] | None = None
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        token: str | None = None,
        how: Presentation = "query",
        since: int | str | None = None,
        origin: str | None = None,
        headers: Mapping[str, str] | None = None,
        compression: Literal["deflate"] | None = "deflate",
        timeout: float = PATIENCE,
        shared: bool = False,
    ) -> Self:
        """Open `url` with `token` (a ticket if `how` is "ticket"). The connection sends no pings by itself.

        With `shared` it goes to `/ws/` as with `over_shared`.
        """
        view = SharedView.of(url, since) if shared or cls.over_shared else None
        if view is not None:
            url, since = view.url, None
        query = [] if since is None else [f"since={quote(str(since))}"]
        subprotocols: list[Any] | None = None
        if token is not None and how == "subprotocol":
            subprotocols = ["jwt", token]
        elif token is not None:
            query.append(f"{'ticket' if how == 'ticket' else 'token'}={quote(token)}")
        connection = await open_connection(
            url + ("?" + "&".join(query) if query else ""),
            subprotocols=subprotocols,
            origin=origin,  # type: ignore[arg-type]
            additional_headers=dict(headers or {}),
            compression=compression,
            open_timeout=timeout,
            close_timeout=60,
            ping_interval=None,
            max_size=None,
            proxy=None,
        )
        return cls(connection, view)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ── receiving ───────────────────────────────────────────────────────────────────────────────────────────
    async def next_frame(self, timeout: float = PATIENCE) -> Frame:
        """Return the first unread frame."""
        await self._until(lambda: len(self.frames) > self.cursor, timeout, "another frame")
        frame = self.frames[self.cursor]
        self.cursor += 1
        return frame

    async def frames_until(self, predicate: Callable[[Frame], bool], timeout: float = PATIENCE) -> list[Frame]:
        """Return the unread frames, up to and including the first that satisfies `predicate`."""
        start = self.cursor

        def found() -> bool:
            while self.cursor < len(self.frames):
                self.cursor += 1
                if predicate(self.frames[self.cursor - 1]):
                    return True
            return False

        await self._until(found, timeout, "a frame that satisfies the predicate")
        return self.frames[start : self.cursor]

    async def next_of(self, kind: str, timeout: float = PATIENCE) -> Frame:
        """Return the next frame of type `kind`; the frames before it count as read."""
        return (await self.frames_until(lambda frame: frame["type"] == kind, timeout))[-1]

    async def joined(self, timeout: float = PATIENCE) -> Frame:
        """Return the `connection_established` frame, which must be the first."""
        frame = await self.next_frame(timeout)
        assert frame["type"] == "connection_established", f"the first frame was {frame}"
        return frame

    async def until_seq(self, seq: int, timeout: float = PATIENCE) -> list[Frame]:
        """Wait for the event `seq`; return the frames up to and including it."""
        return await self.frames_until(lambda frame: frame["type"] in NUMBERED and frame["seq"] == seq, timeout)

    async def news(self) -> bool:
        """Wait for an unread frame; return False if the connection was closed instead."""
        while len(self.frames) <= self.cursor and self._close is None:
            self._news.clear()
            await self._news.wait()
        return len(self.frames) > self.cursor

    async def synchronized(self, timeout: float = PATIENCE) -> list[Frame]:
        """Ping and wait for the pong; return the frames before it. A frame that is missing then was not sent."""
        await self.send({"type": "ping"})
        return (await self.frames_until(lambda frame: frame["type"] == "pong", timeout))[:-1]

    def of_type(self, kind: str) -> list[Frame]:
        """Return every received frame of that type, read or not."""
        return [frame for frame in self.frames if frame["type"] == kind]

    def seqs(self) -> list[int]:
        """Return the seq of every received event, in order of arrival."""
        return [frame["seq"] for frame in self.frames if frame["type"] in NUMBERED]

    # ── sending and ending ──────────────────────────────────────────────────────────────────────────────────
    async def send(self, message: Any) -> None:
        if self._shared is not None:
            message = self._shared.addressed(message)
        await self.connection.send(json.dumps(message))

    async def send_raw(self, message: str | bytes) -> None:
        """Send text as it is, or bytes as a binary frame."""
        await self.connection.send(message)

    async def closed(self, timeout: float = PATIENCE) -> tuple[int, str]:
        """Wait until the connection is closed; return the server's code (1006 without one) and reason."""
        await self._until(lambda: self._close is not None, timeout, "the close")
        assert self._close is not None
        return self._close

    async def close(self, code: int = 1000) -> None:
        """Close with a handshake unless it is closed already, and check that every frame matched its schema."""
        if self.is_open:
            await self.connection.close(code)
        await self._reader
        assert self.problems == [], self.problems[:5]

    async def drop(self) -> None:
        """Break the connection without a close frame, as a phone in a tunnel does."""
        self.connection.transport.abort()
        await self._reader

    @property
    def is_open(self) -> bool:
        return self._close is None

    @staticmethod
    def check(frame: Frame) -> list[str]:
        """Record the frame's differences from its schema."""
        return problems_of_frame(frame)

    async def _read(self) -> None:
        try:
            async for message in self.connection:
                frame = json.loads(message)
                self.problems += self.check(frame)
                if self._shared is not None and not await self._take(self._shared, frame):
                    continue
                self.frames.append(frame)
                self._news.set()
                if self._shared is not None and self._shared.ended is not None:
                    await self.connection.close()
                    break
        except ConnectionClosed:
            pass
        finally:
            code = self.connection.close_code
            self._close = (1006 if code is None else code, self.connection.close_reason or "")
            if self._shared is not None and self._shared.ended is not None:
                self._close = self._shared.ended
            self._news.set()

    async def _take(self, shared: SharedView, frame: Frame) -> bool:
        """Whether the frame is one that the endpoint of this channel would have sent."""
        if frame["type"] == "connected":
            await self.connection.send(json.dumps(shared.subscribe))
            return False
        self.problems += shared.translate(frame)
        return True

    async def _until(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Check again at each arrival. Fails at once when the connection closes."""
        deadline = steady() + timeout
        while not condition():
            closed = self._close
            assert closed is None, f"closed with {closed} while waiting for {what}; {self._seen()}"
            left = deadline - steady()
            assert left > 0, f"{what}: not within {timeout:g} s; {self._seen()}"
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), left)

    def _seen(self) -> str:
        return f"received {len(self.frames)} frames, last {self.frames[-5:]}"


class PlainSocket(Socket):
    """A connection to a server that does not use the catalogue of frames."""

    @staticmethod
    def check(frame: Frame) -> list[str]:
        return []


class SharedView:
    """One subscription of `/ws/`, shown as the endpoint of its channel shows it."""

    def __init__(self, url: str, address: Frame, since: int | str | None) -> None:
        self.url = url
        self.address = address
        self.subscribe = {"type": "subscribe", **address, **({} if since is None else {"since": since})}
        self.ended: tuple[int, str] | None = None

    @classmethod
    def of(cls, url: str, since: int | str | None) -> SharedView | None:
        """None for a URL that is not one of the two documented endpoints."""
        base, _, path = url.partition("/ws/")
        path, question, query = path.partition("?")
        shared = f"{base}/ws/{question}{query}"
        booking = re.fullmatch(r"bookings/([^/]+)/", path)
        if booking:
            return cls(shared, {"channel": "booking", "booking_id": booking[1]}, since)
        if path == "notifications/":
            return cls(shared, {"channel": "notifications"}, since)
        return None

    def addressed(self, message: Any) -> Any:
        """The message with the keys that name the subscription."""
        named = isinstance(message, dict) and message.get("type") in {"location", "ack"}
        return {**message, **self.address} if named else message

    def translate(self, frame: Frame) -> list[str]:
        """Make the frame what the endpoint of the channel sends; what is wrong with it."""
        notifications = self.address["channel"] == "notifications"
        if frame["type"] == "unsubscribed":
            code = frame["code"]
            named = {key: frame[key] for key in ("channel", "booking_id") if key in frame} == self.address
            frame_code = {4003: "forbidden", 4004: "not_found", 4029: "too_many_subscriptions"}.get(code, "unavailable")
            self.ended = (code, CloseCode(code).reason)
            message = frame["message"]
            frame.clear()
            frame.update(type="error", code=frame_code, message=message)
            return [] if named else [f"not about {self.address}: {frame}"]
        if notifications and frame["type"] in OF_NOTIFICATIONS:
            return [] if frame.pop("channel", None) == "notifications" else [f"without a channel: {frame}"]
        if notifications and frame["type"] == "error":
            frame.pop("channel", None)
        if frame["type"] == "resync_required" or (frame["type"] == "error" and "booking_id" in frame):
            return [] if frame.pop("booking_id") == self.address["booking_id"] else [f"of another booking: {frame}"]
        return []


OF_NOTIFICATIONS = frozenset({"connection_established", "notification", "marked_read", "resync_required"})
NUMBERED = frozenset({"booking_status", "notification"})
