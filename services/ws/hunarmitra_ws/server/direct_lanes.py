"""Lanes that write framed bytes to the connection itself, past ASGI, and know when the client does not read."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Final, Protocol

from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra_ws.hub.frames import OVERHEAD, OutgoingFrame
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.server.write_queue import WriteQueue

SLOTS_PER_WRITE: Final = 16
"""Locations of different bookings in one write: few enough that a status event never waits behind many of them."""


_IN_SLOTS: Final = OutgoingFrame("")
"""Stands for the location where the slots have it, so that a connection without slots looks at one attribute."""


class Wire(Protocol):
    """A connection's end that takes bytes. ``heard_at``: when the client last sent anything, in monotonic seconds."""

    heard_at: float

    def write(self, data: bytes) -> int:
        """Bytes that the kernel did not take, now buffered: then ``flushed`` of the lanes is called once they left."""
        ...

    def end(self, code: CloseCode) -> None:
        """Send the close frame after what was written, and abort if the client does not answer in time."""
        ...

    def end_soon(self) -> None:
        """The client does not read: abort if that does not change in time."""
        ...


class DirectLanes:
    """``limit_bytes`` bounds the status lane together with what the kernel has not taken."""

    __slots__ = (
        "_buffered",
        "_bytes",
        "_close",
        "_ended",
        "_frames",
        "_limit",
        "_location",
        "_queue",
        "_queued",
        "_slots",
        "_taken",
        "_wire",
    )

    def __init__(self, wire: Wire, queue: WriteQueue, limit_bytes: int) -> None:
        self._wire: Wire | None = wire
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
        self._taken: asyncio.Future[None] | None = None

    @property
    def heard_at(self) -> float:
        return 0.0 if self._wire is None else self._wire.heard_at

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
        if self._buffered and self._wire is not None:
            self._wire.end_soon()
        self._wake()
        self._tell_taken()

    async def finish(self, code: CloseCode) -> None:
        self.close(code)

    async def taken(self) -> None:
        while self.waiting_bytes and not self.closing:
            if self._taken is None:
                self._taken = asyncio.get_running_loop().create_future()
            await asyncio.wait({self._taken})

    def abandon(self) -> None:
        self._ended = True
        self._wire = None
        self._frames.clear()
        self._bytes = self._buffered = 0
        self._location = self._slots = None
        self._tell_taken()

    def also_waiting(self, size: int) -> None:
        """Count bytes of a control frame that the kernel did not take."""
        self._buffered += size

    def flushed(self) -> None:
        """The kernel has taken everything that was written."""
        self._buffered = 0
        if self._frames or self._location is not None or self._close is not None:
            self._wake()
        else:
            self._tell_taken()

    def flush(self) -> None:
        """Called by the queue: one write of all that waits, status first."""
        self._queued = False
        wire = self._wire
        if wire is None or self._ended or self._buffered:
            return
        if self._frames:
            data = self._frames[0] if len(self._frames) == 1 else b"".join(self._frames)
            self._frames.clear()
            self._bytes = 0
            self._buffered = wire.write(data)
        if self._location is not None and not self._buffered and self._wire is not None:
            if self._slots is None:
                location, self._location = self._location, None
                self._buffered = wire.write(location.framed)
            else:
                self._write_slots(self._slots)
        if self._close is not None and self._wire is not None:
            self._ended = True
            wire.end(self._close)
        if self._taken is not None and (self.closing or not self.waiting_bytes):
            self._tell_taken()

    def _write_slots(self, slots: dict[object, OutgoingFrame]) -> None:
        """Write the locations of several bookings, those that wait longest first, while the kernel takes them."""
        while slots and not self._buffered and self._wire is not None:
            turn = list(islice(slots, SLOTS_PER_WRITE))
            self._buffered = self._wire.write(b"".join([slots.pop(slot).framed for slot in turn]))
        if not slots:
            self._location = None

    def _overflow(self) -> None:
        self._frames.clear()
        self._bytes = 0
        self._location = self._slots = None
        self._close = CloseCode.TOO_SLOW
        self._ended = True
        metrics.slow_clients_closed.inc()
        if self._wire is not None:
            self._wire.end(CloseCode.TOO_SLOW)
        self._tell_taken()

    def _tell_taken(self) -> None:
        taken, self._taken = self._taken, None
        if taken is not None and not taken.done():
            taken.set_result(None)

    def _wake(self) -> None:
        if not self._queued and not self._buffered:
            self._queued = True
            self._queue.add(self)
