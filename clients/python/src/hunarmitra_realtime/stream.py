"""The base of both streams: connecting, resuming, heartbeat, tokens, close codes and the order of events.

Invariant: `seq` is the seq of the last event given to the application. Only the next event, the first snapshot and
`resync_required` change it.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidURI, WebSocketException
from websockets.typing import Subprotocol

from hunarmitra_realtime.events import Backoff, Event, Frame, Moments, Reason, State, TokenCallback

PONG_SECONDS = 10.0
"""Without a pong within this time the connection is dead."""
CONNECT_SECONDS = 20.0
"""From the token request to the first frame."""
STABLE_SECONDS = 10.0
"""The backoff starts over after a connection of this length."""
RENEW_SECONDS = 60.0
"""A token is renewed this long before its expiry, or at half of the time left."""

UNAUTHENTICATED, TOO_SLOW, DRAINING = 4001, 4008, 4012
BUSY = {4013, 4029}
TERMINAL: dict[int, Reason] = {4003: "forbidden", 4004: "not_found"}
GAP = -1
"""In place of a close code: an event was missing."""


def timestamp(text: object) -> float | None:
    """Return seconds since 1970, or None."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None


class RealtimeStream:
    """Iterate over it to get its events; it runs inside `async with`. The iteration ends when the stream closes."""

    def __init__(
        self,
        url: str,
        path: str,
        event_type: str,
        *,
        token: str | TokenCallback,
        since: int | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        if since is not None and since < 0:
            raise ValueError(f"since is not a seq (0, 1, 2, …): {since}")
        base = url.rstrip("/")
        self._url = ("ws" + base.removeprefix("http") if base.startswith("http") else base) + path
        self._event_type = event_type
        self._token, self._backoff = token, backoff or Backoff()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._connection: ClientConnection | None = None
        self._moments = Moments()
        self._pong = asyncio.Event()
        self._server_ahead = 0.0
        self._snapshot_seq = 0
        self._last_error: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: asyncio.Task[None] | None = None
        self._failures = 0
        self._hurried = self._rejected = False
        self.seq = since
        self.state = State("idle")

    # ── for applications ────────────────────────────────────────────────────────────────────────────────────
    async def __aenter__(self) -> Self:
        self._runner = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Disconnect. The iteration ends."""
        if self._runner and not self._runner.done():
            self._runner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._runner
            self._finish("stopped")

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (event := await self._events.get()) is not None:
            yield event

    # ── for subclasses ──────────────────────────────────────────────────────────────────────────────────────
    def _established(self, snapshot: Frame) -> None:
        raise NotImplementedError

    def _next(self, event: Frame, *, fresh: bool) -> None:
        """Give a numbered event. `fresh`: newer than the snapshot."""
        raise NotImplementedError

    def _frame(self, frame: Frame) -> None:
        """Handle another frame."""

    def _ended(self, reason: Reason) -> None:
        """The stream is closed."""

    def _give(self, event: Event) -> None:
        self._events.put_nowait(event)

    def _server_now(self) -> float:
        """Return the server's time, in seconds since 1970."""
        return time.monotonic() + self._server_ahead

    async def _send(self, message: Frame) -> bool:
        """Return whether the message was sent."""
        if self._connection is None or self._moments.live_since is None:
            return False
        try:
            await self._connection.send(json.dumps(message))
        except ConnectionClosed:
            return False
        return True

    # ── the connection ──────────────────────────────────────────────────────────────────────────────────────
    async def _run(self) -> None:
        while True:
            self._become(State("connecting", attempt=self._failures + 1))
            self._moments, self._last_error = Moments(), None
            code = await self._one_connection()
            reason, delay = self._decide(code)
            if reason:
                self._finish(reason, None if code is None or code < 0 else code)
                return
            if delay > 0:
                self._become(State("reconnecting", code=code, attempt=self._failures, delay=delay))
                await asyncio.sleep(delay)

    async def _one_connection(self) -> int | None:
        """Run one connection and return its close code; None when there was none, or no connection."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS) as limit:
                refresh, self._rejected = self._rejected, False
                token = await self._ask(refresh=refresh)
                if not token:
                    self._refuse("unauthenticated")
                    return None
                protocols = [Subprotocol("jwt"), Subprotocol(token)]
                url = self._url if self.seq is None else f"{self._url}?since={self.seq}"
                async with connect(
                    url, subprotocols=protocols, open_timeout=None, ping_interval=None, close_timeout=1, proxy=None
                ) as self._connection:
                    return await self._read(self._connection, limit)
        except InvalidURI as error:
            self._last_error = str(error)
            self._refuse("invalid_url")
        except (OSError, TimeoutError, WebSocketException, httpx.HTTPError) as error:
            if not isinstance(error, ConnectionClosed):
                self._complain(error)
        finally:
            self._connection = None
            for task in self._tasks:
                task.cancel()
            self._tasks.clear()
        return None

    async def _read(self, connection: ClientConnection, limit: asyncio.Timeout) -> int | None:
        with contextlib.suppress(ConnectionClosed):
            async for text in connection:
                if not await self._receive(text):
                    return GAP
                if self._moments.live_since is not None:
                    limit.reschedule(None)
        return connection.close_code

    def _decide(self, code: int | None) -> tuple[Reason | None, float]:
        """Return why the stream ends, or the seconds until the next attempt."""
        if self._refused:
            return self._refused, 0
        moments, live = self._moments, self._moments.live_since is not None
        if live and code not in BUSY and time.monotonic() - (moments.live_since or 0) >= STABLE_SECONDS:
            self._failures, self._hurried = 0, False
        if code in TERMINAL:
            return TERMINAL[code], 0
        if code == UNAUTHENTICATED:
            if not callable(self._token):
                return "unauthenticated", 0
            self._rejected = True
        if moments.after is not None and (live or not self._failures):
            self._failures += not live
            return None, moments.after
        if moments.after is None and code in {UNAUTHENTICATED, TOO_SLOW, GAP} and not self._hurried:
            self._hurried = True
            return None, 0
        delay = random.random() * min(self._backoff.longest, self._backoff.shortest * 2**self._failures)
        self._failures += 1
        return None, max(moments.after or 0, delay)

    _refused: Reason | None = None

    def _refuse(self, reason: Reason) -> None:
        self._refused = reason

    # ── frames ──────────────────────────────────────────────────────────────────────────────────────────────
    async def _receive(self, text: str | bytes) -> bool:
        """Handle a frame. Return false after a gap in the numbers."""
        try:
            frame = json.loads(text)
        except ValueError:
            return True
        if not isinstance(frame, dict):
            return True
        kind = frame.get("type")
        self._last_error = frame.get("message") if kind == "error" else None
        if kind == "connection_established":
            self._joined(frame)
        elif kind == self._event_type:
            return await self._numbered(frame)
        elif kind == "pong":
            self._pong.set()
        elif kind == "authenticated":
            self._renew_before(frame.get("expires_at"))
        elif kind == "reconnect":
            self._moments.after = max(0, frame.get("after_ms", 0)) / 1000
        elif kind == "resync_required":
            self.seq = self._snapshot_seq = frame["seq"]
            self._give(Event("resync", frame))
        else:
            self._frame(frame)
            if kind == "error":
                self._give(Event("error", frame))
        return True

    def _joined(self, frame: Frame) -> None:
        self._moments.live_since = time.monotonic()
        self._server_ahead = (timestamp(frame.get("server_time")) or datetime.now(UTC).timestamp()) - time.monotonic()
        self._snapshot_seq = frame["seq"]
        self.seq = frame["seq"] if self.seq is None else self.seq
        heartbeat = frame.get("heartbeat_seconds") or 30
        self._start(self._ping(heartbeat))
        self._renew_before(frame.get("expires_at"))
        self._become(State("live"))
        self._established(frame)

    async def _numbered(self, frame: Frame) -> bool:
        seq = frame.get("seq")
        if self.seq is None or not isinstance(seq, int) or seq <= self.seq:
            return True
        if seq != self.seq + 1:
            return False
        self.seq = seq
        self._next(frame, fresh=seq > self._snapshot_seq)
        if frame.get("ack"):
            await self._send({"type": "ack", "seq": seq})
        return True

    async def _ping(self, heartbeat: float) -> None:
        while True:
            await asyncio.sleep(heartbeat)
            self._pong.clear()
            await self._send({"type": "ping"})
            try:
                await asyncio.wait_for(self._pong.wait(), PONG_SECONDS)
            except TimeoutError:
                if self._connection:
                    await self._connection.close()
                return

    def _renew_before(self, expires_at: object) -> None:
        expiry = timestamp(expires_at)
        left = expiry - self._server_now() if expiry else 0
        if callable(self._token) and left > 1:
            self._start(self._renew(max(left - RENEW_SECONDS, left / 2), expires_at))

    async def _renew(self, delay: float, expires_at: object) -> None:
        await asyncio.sleep(delay)
        try:
            token = await self._ask(refresh=True)
        except (OSError, httpx.HTTPError) as error:
            self._complain(error)
            self._renew_before(expires_at)  # again at half of the time left
            return
        if token:
            await self._send({"type": "authenticate", "token": token})
        elif self._connection:
            self._refuse("unauthenticated")
            await self._connection.close()

    async def _ask(self, *, refresh: bool) -> str | None:
        if not callable(self._token):
            return self._token
        answer = self._token(refresh)
        return await answer if inspect.isawaitable(answer) else answer

    def _start(self, work: object) -> None:
        assert inspect.iscoroutine(work)
        self._tasks.add(asyncio.create_task(work))

    def _become(self, state: State) -> None:
        self.state = state
        self._give(Event("state", state=state))

    def _finish(self, reason: Reason, code: int | None = None) -> None:
        self._ended(reason)
        self._become(State("closed", reason=reason, code=code, message=self._last_error))
        self._events.put_nowait(None)

    def _complain(self, error: Exception) -> None:
        frame = {"type": "error", "code": "connection", "message": str(error) or type(error).__name__}
        self._give(Event("error", frame))
