"""A connection that is kept: connecting, backoff, heartbeat, tokens and close codes."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import random
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidURI, WebSocketException
from websockets.typing import Subprotocol

from hunarmitra_realtime.events import Backoff, Frame, Moments, Reason, State, TokenCallback

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


class Link:
    """Stay connected inside `async with`. Subclasses get the frames."""

    state: State

    def __init__(
        self, url: str, path: str, first_frame: str, *, token: str | TokenCallback, backoff: Backoff | None
    ) -> None:
        base = url.rstrip("/")
        self._url = ("ws" + base.removeprefix("http") if base.startswith("http") else base) + path
        self._first_frame = first_frame
        self._token, self._backoff = token, backoff or Backoff()
        self._connection: ClientConnection | None = None
        self._moments = Moments()
        self._pong = asyncio.Event()
        self._server_ahead = 0.0
        self._last_error: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: asyncio.Task[None] | None = None
        self._failures = 0
        self._hurried = self._rejected = False

    # ── for applications ────────────────────────────────────────────────────────────────────────────────────
    async def __aenter__(self) -> Self:
        self._runner = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Disconnect, and close every stream of the connection."""
        if self._runner and not self._runner.done():
            self._runner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._runner
            self._finish("stopped")

    # ── for subclasses ──────────────────────────────────────────────────────────────────────────────────────
    def _query(self) -> str:
        """Return what follows the path of the URL."""
        return ""

    def _opened(self, frame: Frame) -> None:
        """Take the first frame."""
        raise NotImplementedError

    async def _take(self, frame: Frame) -> bool:
        """Handle a frame. Return false to connect again."""
        raise NotImplementedError

    def _become(self, state: State) -> None:
        raise NotImplementedError

    def _close(self, state: State) -> None:
        raise NotImplementedError

    def _failed(self, frame: Frame) -> None:
        """Tell the application that an attempt failed."""
        raise NotImplementedError

    def _server_now(self) -> float:
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

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work that ends with the connection."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
                token = await self._ask(refresh=self._rejected)
                if not token:
                    self._refuse("unauthenticated")
                    return None
                self._rejected = False
                protocols = [Subprotocol("jwt"), Subprotocol(token)]
                url = self._url + self._query()
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
            for task in tuple(self._tasks):
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
        """Handle a message of the server. Return false to connect again."""
        try:
            frame = json.loads(text)
        except ValueError:
            return True
        if not isinstance(frame, dict):
            return True
        kind = frame.get("type")
        self._last_error = frame.get("message") if kind == "error" else None
        if kind == self._first_frame:
            self._joined(frame)
        elif kind == "pong":
            self._pong.set()
        elif kind == "authenticated":
            self._renew_before(frame.get("expires_at"))
        elif kind == "reconnect":
            self._moments.after = max(0, frame.get("after_ms", 0)) / 1000
        else:
            return await self._take(frame)
        return True

    def _joined(self, frame: Frame) -> None:
        self._moments.live_since = time.monotonic()
        self._server_ahead = (timestamp(frame.get("server_time")) or datetime.now(UTC).timestamp()) - time.monotonic()
        heartbeat = frame.get("heartbeat_seconds") or 30
        self._start(self._ping(heartbeat))
        self._renew_before(frame.get("expires_at"))
        self._opened(frame)

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

    def _finish(self, reason: Reason, code: int | None = None) -> None:
        self._close(State("closed", reason=reason, code=code, message=self._last_error))

    def _complain(self, error: Exception) -> None:
        self._failed({"type": "error", "code": "connection", "message": str(error) or type(error).__name__})
