"""Lanes that write framed bytes to the connection, without ASGI, and notice when the client does not read."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Final, Protocol

from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra_ws.hub.frames import OVERHEAD, OutgoingFrame
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.server.write_queue import WriteQueue

SLOTS_PER_WRITE: Final = 16
"""Locations of different bookings in one write. The number is small, so that a status event does not wait long."""


_IN_SLOTS: Final = OutgoingFrame("")
"""Stands for the location where the slots have it, so that a connection without slots looks at one attribute."""


class FramedConnection(Protocol):
    """A connection that accepts framed bytes. ``heard_at`` is the monotonic time of the client's last frame."""

    heard_at: float

    def write(self, data: bytes) -> int:
        """Write; return how many bytes the kernel did not accept. ``DirectLanes.flushed`` is called when it has."""
        ...

    def close_with(self, code: CloseCode) -> None:
        """Send the close frame after the written bytes, and abort if the client does not answer in time."""
        ...

    def abort_later(self) -> None:
        """Abort the connection after the close timeout, because the client does not read."""
        ...


class DirectLanes:
    """The lanes of one connection. ``limit_bytes`` bounds the status lane and the bytes that wait for the kernel."""

    __slots__ = (
        "_all_sent",
        "_buffered",
        "_bytes",
        "_close",
        "_connection",
        "_ended",
        "_frames",
        "_limit",
        "_location",
        "_queue",
        "_queued",
        "_slots",
    )

    def __init__(self, connection: FramedConnection, queue: WriteQueue, limit_bytes: int) -> None:
        self._connection: FramedConnection | None = connection
        self._queue = queue
        self._limit = limit_bytes
        self._frames: list[bytes] = []
        self._bytes = 0
        self._buffered = 0
        self._location: OutgoingFrame | None = None
        self._slots: dict[object, OutgoingFrame] | None = None
        self._close: CloseCode | None = None
        self._ended = False
        self._queued = False
        self._all_sent: asyncio.Future[None] | None = None

    @property
    def heard_at(self) -> float:
        return 0.0 if self._connection is None else self._connection.heard_at

    @property
    def closing(self) -> bool:
        return self._ended or self._close is not None

    @property
    def waiting_bytes(self) -> int:
        return self._bytes + self._buffered

    def push(self, frame: OutgoingFrame) -> None:
        if self.closing:
            return
        framed = frame.framed
        self._bytes += len(framed) + OVERHEAD
        if self._bytes + self._buffered > self._limit:
            self._overflow()
            return
        self._frames.append(framed)
        self._wake()

    def set_location(self, frame: OutgoingFrame) -> None:
        if self.closing:
            return
        if self._location is not None:
            metrics.locations_conflated.inc()
        self._location = frame
        self._wake()

    def clear_location(self) -> None:
        self._location = None

    def set_location_of(self, slot: object, frame: OutgoingFrame) -> None:
        if self.closing:
            return
        if self._slots is None:
            self._slots = {}
        elif slot in self._slots:
            metrics.locations_conflated.inc()
        self._slots[slot] = frame
        self._location = _IN_SLOTS
        self._wake()

    def clear_location_of(self, slot: object) -> None:
        if self._slots is not None:
            self._slots.pop(slot, None)

    def close(self, code: CloseCode) -> None:
        if self.closing:
            return
        self._location = self._slots = None
        self._close = code
        if self._buffered and self._connection is not None:
            self._connection.abort_later()
        self._wake()
        self._notify_sent()

    async def finish(self, code: CloseCode) -> None:
        self.close(code)

    async def all_sent(self) -> None:
        while self.waiting_bytes and not self.closing:
            if self._all_sent is None:
                self._all_sent = asyncio.get_running_loop().create_future()
            await asyncio.wait({self._all_sent})

    def abandon(self) -> None:
        self._ended = True
        self._connection = None
        self._frames.clear()
        self._bytes = self._buffered = 0
        self._location = self._slots = None
        self._notify_sent()

    def add_waiting(self, size: int) -> None:
        """Count bytes of a control frame that the kernel did not accept."""
        self._buffered += size

    def flushed(self) -> None:
        """Handle that the kernel has accepted all written bytes."""
        self._buffered = 0
        if self._frames or self._location is not None or self._close is not None:
            self._wake()
        else:
            self._notify_sent()

    def flush(self) -> None:
        """Called by the queue: one write of all that waits, status first."""
        self._queued = False
        connection = self._connection
        if connection is None or self._ended or self._buffered:
            return
        if self._frames:
            data = self._frames[0] if len(self._frames) == 1 else b"".join(self._frames)
            self._frames.clear()
            self._bytes = 0
            self._buffered = connection.write(data)
        if self._location is not None and not self._buffered and self._connection is not None:
            if self._slots is None:
                location, self._location = self._location, None
                self._buffered = connection.write(location.framed)
            else:
                self._write_slots(self._slots)
        if self._close is not None and self._connection is not None:
            self._ended = True
            connection.close_with(self._close)
        if self._all_sent is not None and (self.closing or not self.waiting_bytes):
            self._notify_sent()

    def _write_slots(self, slots: dict[object, OutgoingFrame]) -> None:
        """Write the locations of several bookings, those that wait longest first, while the kernel takes them."""
        while slots and not self._buffered and self._connection is not None:
            turn = list(islice(slots, SLOTS_PER_WRITE))
            self._buffered = self._connection.write(b"".join([slots.pop(slot).framed for slot in turn]))
        if not slots:
            self._location = None

    def _overflow(self) -> None:
        self._frames.clear()
        self._bytes = 0
        self._location = self._slots = None
        self._close = CloseCode.TOO_SLOW
        self._ended = True
        metrics.slow_clients_closed.inc()
        if self._connection is not None:
            self._connection.close_with(CloseCode.TOO_SLOW)
        self._notify_sent()

    def _notify_sent(self) -> None:
        sent, self._all_sent = self._all_sent, None
        if sent is not None and not sent.done():
            sent.set_result(None)

    def _wake(self) -> None:
        if not self._queued and not self._buffered:
            self._queued = True
            self._queue.add(self)
