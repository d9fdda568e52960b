"""The events of one channel: their order, and how the application gets them.

Invariant: `seq` is the seq of the last event given to the application. Only the next event, the first snapshot and
`resync_required` change it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from hunarmitra_realtime.events import Event, Frame, Reason, State


class Stream:
    """Iterate over it to get its events. The iteration ends when the stream closes."""

    def __init__(self, event_type: str, *, since: int | None) -> None:
        if since is not None and since < 0:
            raise ValueError(f"since is not a seq (0, 1, 2, …): {since}")
        self._event_type = event_type
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._snapshot_seq = 0
        self.seq = since
        self.state = State("idle")

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (event := await self._events.get()) is not None:
            yield event

    async def discard(self) -> None:
        """Take and forget the events until the stream closes: for a program that reads none of them."""
        async for _ in self:
            pass

    # ── of a channel ────────────────────────────────────────────────────────────────────────────────────────
    def _established(self, snapshot: Frame) -> None:
        raise NotImplementedError

    def _next(self, event: Frame, *, fresh: bool) -> None:
        """Give a numbered event. `fresh`: newer than the snapshot."""
        raise NotImplementedError

    def _frame(self, frame: Frame) -> None:
        """Handle another frame."""

    def _ended(self, reason: Reason) -> None:
        """The stream is closed."""

    # ── of a connection ─────────────────────────────────────────────────────────────────────────────────────
    def _server_now(self) -> float:
        """Return the server's time, in seconds since 1970."""
        raise NotImplementedError

    async def _send(self, message: Frame) -> bool:
        """Return whether the message was sent."""
        raise NotImplementedError

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work that ends with the connection."""
        raise NotImplementedError

    # ── frames and events ───────────────────────────────────────────────────────────────────────────────────
    def _snapshot(self, frame: Frame) -> None:
        self._snapshot_seq = frame["seq"]
        self.seq = frame["seq"] if self.seq is None else self.seq
        self._become(State("live"))
        self._established(frame)

    async def _take(self, frame: Frame) -> bool:
        """Handle a frame of the channel. Return false after a gap in the numbers."""
        kind = frame.get("type")
        if kind == self._event_type:
            return await self._numbered(frame)
        if kind == "resync_required":
            self.seq = self._snapshot_seq = frame["seq"]
            self._give(Event("resync", frame))
            return True
        self._frame(frame)
        if kind == "error":
            self._give(Event("error", frame))
        return True

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

    def _give(self, event: Event) -> None:
        self._events.put_nowait(event)

    def _become(self, state: State) -> None:
        self.state = state
        self._give(Event("state", state=state))

    def _close(self, state: State) -> None:
        """Become `closed`: the iteration ends."""
        assert state.reason
        self._ended(state.reason)
        self._become(state)
        self._events.put_nowait(None)
