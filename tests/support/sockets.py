"""A WebSocket client that records everything it receives and waits for conditions."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_connection
from websockets.exceptions import ConnectionClosed

from tests.support.clock import steady
from tests.support.frames import problems_of_frame

Frame = dict[str, Any]
Presentation = Literal["query", "subprotocol", "ticket"]


class Socket:
    """One connection. `frames` is all it ever received, decoded; `cursor` how many the helpers have taken.

    A rejected handshake (HTTP 403) raises websockets' InvalidStatus from `connect`.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
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
        timeout: float = 30,
    ) -> Self:
        """Open `url`, presenting `token` (a ticket when `how` is "ticket"). Sends no pings of its own."""
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
            close_timeout=10,
            ping_interval=None,
            max_size=None,
            proxy=None,
        )
        return cls(connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ── receiving ───────────────────────────────────────────────────────────────────────────────────────────
    async def next_frame(self, timeout: float = 30) -> Frame:
        """The first frame not yet taken."""
        await self._until(lambda: len(self.frames) > self.cursor, timeout, "another frame")
        frame = self.frames[self.cursor]
        self.cursor += 1
        return frame

    async def frames_until(self, predicate: Callable[[Frame], bool], timeout: float = 30) -> list[Frame]:
        """The frames not yet taken, up to and including the first that satisfies `predicate`."""
        start = self.cursor

        def found() -> bool:
            while self.cursor < len(self.frames):
                self.cursor += 1
                if predicate(self.frames[self.cursor - 1]):
                    return True
            return False

        await self._until(found, timeout, "a frame that satisfies the predicate")
        return self.frames[start : self.cursor]

    async def next_of(self, kind: str, timeout: float = 30) -> Frame:
        """The next frame of type `kind`; those before it are taken too."""
        return (await self.frames_until(lambda frame: frame["type"] == kind, timeout))[-1]

    async def joined(self, timeout: float = 30) -> Frame:
        """The `connection_established` frame, which has to come first."""
        frame = await self.next_frame(timeout)
        assert frame["type"] == "connection_established", f"the first frame was {frame}"
        return frame

    async def until_seq(self, seq: int, timeout: float = 30) -> list[Frame]:
        """Wait for the numbered event `seq`; the frames up to and including it."""
        return await self.frames_until(lambda frame: frame["type"] in NUMBERED and frame["seq"] == seq, timeout)

    async def news(self) -> bool:
        """Wait until there is a frame not yet taken (true), or until nothing more can come (false)."""
        while len(self.frames) <= self.cursor and self._close is None:
            self._news.clear()
            await self._news.wait()
        return len(self.frames) > self.cursor

    async def synchronized(self, timeout: float = 30) -> list[Frame]:
        """Ping and wait for the pong: the frames that came before it. What is not there now was not sent."""
        await self.send({"type": "ping"})
        return (await self.frames_until(lambda frame: frame["type"] == "pong", timeout))[:-1]

    def of_type(self, kind: str) -> list[Frame]:
        """Every frame of that type received so far, taken or not."""
        return [frame for frame in self.frames if frame["type"] == kind]

    def seqs(self) -> list[int]:
        """The numbers of every event received so far, in order of arrival."""
        return [frame["seq"] for frame in self.frames if frame["type"] in NUMBERED]

    # ── sending and ending ──────────────────────────────────────────────────────────────────────────────────
    async def send(self, message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def send_raw(self, message: str | bytes) -> None:
        """As given: text, or a binary frame for bytes."""
        await self.connection.send(message)

    async def closed(self, timeout: float = 30) -> tuple[int, str]:
        """Wait until the connection is closed; the server's code (1006 when it gave none) and reason."""
        await self._until(lambda: self._close is not None, timeout, "the close")
        assert self._close is not None
        return self._close

    async def close(self, code: int = 1000) -> None:
        """Close with a handshake. No frame may have been other than its schema says."""
        await self.connection.close(code)
        await self._reader
        assert self.problems == [], self.problems[:5]

    async def drop(self) -> None:
        """Break the connection, as a phone in a tunnel does: no close frame."""
        self.connection.transport.abort()
        await self._reader

    @property
    def is_open(self) -> bool:
        return self._close is None

    @staticmethod
    def check(frame: Frame) -> list[str]:
        """What the frame's schema has against it."""
        return problems_of_frame(frame)

    async def _read(self) -> None:
        try:
            async for message in self.connection:
                frame = json.loads(message)
                self.problems += self.check(frame)
                self.frames.append(frame)
                self._news.set()
        except ConnectionClosed:
            pass
        finally:
            code = self.connection.close_code
            self._close = (1006 if code is None else code, self.connection.close_reason or "")
            self._news.set()

    async def _until(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Re-check at each arrival. Fails at once when the connection closes, for nothing more can come."""
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
    """Of a server that does not speak the catalogue."""

    @staticmethod
    def check(frame: Frame) -> list[str]:
        return []


NUMBERED = frozenset({"booking_status", "notification"})
