"""A subscription of a connection to `/ws/`, as a stream."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from hunarmitra_realtime.base import Stream
from hunarmitra_realtime.booking import BOOKING_STATUS, BookingChannel
from hunarmitra_realtime.events import Event, Frame, State
from hunarmitra_realtime.link import CONNECT_SECONDS, STABLE_SECONDS, TERMINAL, TOO_SLOW
from hunarmitra_realtime.notifications import NOTIFICATION, NotificationChannel

if TYPE_CHECKING:
    from hunarmitra_realtime.connection import RealtimeConnection

AS_ASKED = 1000


class Subscription(Stream):
    """Iterate over it to get its events. `stop()`, or the end of `async with`, unsubscribes."""

    def __init__(
        self, connection: RealtimeConnection, key: str, event_type: str, address: Frame, *, since: int | None
    ) -> None:
        super().__init__(event_type, since=since)
        self._connection = connection
        self.key = key
        self.address = address
        self._joined_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._hurried = False

    # ── for applications ────────────────────────────────────────────────────────────────────────────────────
    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Unsubscribe. The iteration ends; the connection lives on."""
        if self.wanted:
            self._close(State("closed", reason="stopped"))

    # ── for the connection ──────────────────────────────────────────────────────────────────────────────────
    @property
    def wanted(self) -> bool:
        return self.state.name != "closed"

    @property
    def request(self) -> Frame:
        """The keys of `subscribe`."""
        since = {} if self.seq is None else {"since": self.seq}
        return {"channel": "booking" if "booking_id" in self.address else self.key, **self.address, **since}

    def follow(self, state: State) -> None:
        """Follow the state of the connection."""
        if not self.wanted:
            return
        if state.name == "closed":
            self._close(state)
        elif state.name == "live":
            self._subscribe()
        else:
            self._leave()
            self._become(state)

    def fail(self, frame: Frame) -> None:
        """Tell an error of the connection."""
        if self.wanted:
            self._give(Event("error", frame))

    async def receive(self, frame: Frame) -> None:
        """Handle a frame of the channel."""
        kind = frame.get("type")
        if not self.wanted:
            return
        if kind == "unsubscribed":
            self._refused(frame)
        elif kind == "connection_established":
            self._join()
            self._snapshot(frame)
        # Other frames before the snapshot are of the subscription before.
        elif self._joined_at is not None and not await self._take(frame):
            self._lost(None, at_once=True)

    # ── of a stream ─────────────────────────────────────────────────────────────────────────────────────────
    def _server_now(self) -> float:
        return self._connection.server_now()

    async def _send(self, message: Frame) -> bool:
        return self._joined_at is not None and await self._connection.send({**message, **self.address})

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _close(self, state: State) -> None:
        self._leave()
        super()._close(state)
        self._connection.release(self)

    # ── subscribing ─────────────────────────────────────────────────────────────────────────────────────────
    def _subscribe(self) -> None:
        self._leave()
        self._set_timer(CONNECT_SECONDS, lambda: self._lost(None))
        if self.state.name != "connecting":
            self._become(State("connecting", attempt=self._failures + 1))
        self._connection.change(self)

    def _join(self) -> None:
        self._set_timer(None)
        self._joined_at = time.monotonic()

    def _refused(self, frame: Frame) -> None:
        code, message = frame.get("code"), frame.get("message")
        if code in TERMINAL:
            self._close(State("closed", reason=TERMINAL[code], code=code, message=message))
        elif code != AS_ASKED:
            self._lost(code, at_once=code == TOO_SLOW)

    def _lost(self, code: int | None, *, at_once: bool = False) -> None:
        """Subscribe again: at once, if that was not tried just before, or after a random delay."""
        if self._joined_at is not None and time.monotonic() - self._joined_at >= STABLE_SECONDS:
            self._failures, self._hurried = 0, False
        if at_once and not self._hurried:
            self._hurried = True
            self._subscribe()
            return
        self._leave()
        backoff = self._connection.backoff
        delay = random.random() * min(backoff.longest, backoff.shortest * 2**self._failures)
        self._failures += 1
        self._set_timer(delay, self._subscribe)
        self._become(State("reconnecting", code=code, attempt=self._failures, delay=delay))

    def _leave(self) -> None:
        self._joined_at = None
        self._set_timer(None)
        for task in tuple(self._tasks):
            task.cancel()

    def _set_timer(self, delay: float | None, run: Any = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if delay is None else asyncio.get_running_loop().call_later(delay, run)


class BookingSubscription(BookingChannel, Subscription):
    """The events of one booking, as of a `BookingStream`."""

    def __init__(self, connection: RealtimeConnection, key: str, booking_id: str, *, since: int | None) -> None:
        Subscription.__init__(self, connection, key, BOOKING_STATUS, {"booking_id": booking_id}, since=since)


class NotificationSubscription(NotificationChannel, Subscription):
    """The user's notifications, as of a `NotificationStream`."""

    def __init__(self, connection: RealtimeConnection, key: str, *, since: int | None) -> None:
        Subscription.__init__(self, connection, key, NOTIFICATION, {"channel": key}, since=since)
        self._begin()
