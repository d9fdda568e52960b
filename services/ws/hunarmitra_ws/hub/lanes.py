"""What waits to be written to one client: a lossless lane for status frames, and slots for locations.

The status lane keeps the order and loses nothing, so it is bounded in bytes; a client that lets it overflow is closed
with 4008 and resumes with ``since``. A location slot conflates: a newer location replaces one that was not written
yet. Slots are written only when no status frame waits. A connection with one subscription has one slot; a shared one
has a slot for each booking, and they take turns.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.metrics import metrics

logger = logging.getLogger(__name__)

AsgiSend = Callable[[Mapping[str, Any]], Awaitable[None]]


class SubscriptionLanes(Protocol):
    """What one subscription pushes to."""

    @property
    def closing(self) -> bool:
        """Whether the connection is closed or will be, so that nothing more can be pushed."""
        ...

    @property
    def waiting_bytes(self) -> int:
        """Bytes that were pushed and that the server or the kernel has not taken."""
        ...

    def push(self, frame: OutgoingFrame) -> None:
        """Add to the status lane. On overflow both lanes are emptied and the connection is closed with 4008."""
        ...

    def set_location(self, frame: OutgoingFrame) -> None: ...

    def clear_location(self) -> None:
        """Forget a location that was not written yet."""
        ...

    async def all_sent(self) -> None:
        """Wait until the server or the kernel has accepted all pushed bytes, or until nothing more can be pushed."""
        ...


class Lanes(SubscriptionLanes, Protocol):
    """Both lanes of one connection, for any way of writing."""

    @property
    def heard_at(self) -> float:
        """When the server last received anything of the client, also a pong; 0 if the server does not tell."""
        ...

    def set_location_of(self, slot: object, frame: OutgoingFrame) -> None:
        """Set the location of one of several bookings. Slots that wait are written in turn."""
        ...

    def clear_location_of(self, slot: object) -> None: ...

    def close(self, code: CloseCode) -> None:
        """Close once the status lane has been written; a waiting location is dropped."""
        ...

    async def finish(self, code: CloseCode) -> None:
        """Close with a code that the RFC reserves. Stock daphne does not send such codes.

        Raises what the server raises, so that the application fails and daphne closes with 1011.
        """
        ...

    def abandon(self) -> None:
        """Drop everything: the client is gone."""
        ...


class AsgiLanes:
    """Lanes over an ASGI ``send``, for stock daphne and uvicorn.

    A task exists only while there is something to write: an idle connection has none. On uvicorn ``send`` waits for a
    slow client, so the lanes fill; on stock daphne it never waits.
    """

    __slots__ = (
        "_bytes", "_close", "_ended", "_finishing", "_flusher", "_frames", "_limit", "_location", "_send", "_slots",
    )  # fmt: skip

    def __init__(self, send: AsgiSend, limit_bytes: int) -> None:
        self._send = send
        self._limit = limit_bytes
        self._frames: deque[OutgoingFrame] = deque()
        self._bytes = 0
        self._location: OutgoingFrame | None = None
        self._slots: dict[object, OutgoingFrame] | None = None
        self._close: Mapping[str, Any] | None = None
        self._ended = False
        self._finishing = False
        self._flusher: asyncio.Task[None] | None = None

    @property
    def heard_at(self) -> float:
        return 0.0

    @property
    def closing(self) -> bool:
        return self._ended or self._finishing or self._close is not None

    @property
    def waiting_bytes(self) -> int:
        return self._bytes

    def push(self, frame: OutgoingFrame) -> None:
        if self.closing:
            return
        self._bytes += frame.size
        if self._bytes > self._limit:
            self._frames.clear()
            self._bytes = 0
            metrics.slow_clients_closed.inc()
            self.close(CloseCode.TOO_SLOW)
            return
        self._frames.append(frame)
        self._wake()

    def set_location(self, frame: OutgoingFrame) -> None:
        if not self.closing:
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
        self._wake()

    def clear_location_of(self, slot: object) -> None:
        if self._slots is not None:
            self._slots.pop(slot, None)

    def close(self, code: CloseCode) -> None:
        if self.closing:
            return
        self._location = self._slots = None
        self._close = _close_message(code)
        self._wake()

    async def finish(self, code: CloseCode) -> None:
        if self.closing:
            return
        self._finishing = True
        self._location = self._slots = None
        if self._flusher is not None:
            await self._flusher
        if not self._ended:
            self._ended = True
            await self._send(_close_message(code))

    async def all_sent(self) -> None:
        while self._flusher is not None and not self.closing:
            await asyncio.wait({self._flusher})

    def abandon(self) -> None:
        self._ended = True
        self._frames.clear()
        self._bytes = 0
        self._location = self._slots = None

    def _wake(self) -> None:
        if self._flusher is None:
            self._flusher = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        try:
            while not self._ended:
                if self._frames:
                    frame = self._frames.popleft()
                    self._bytes -= frame.size
                elif self._close is not None:
                    self._ended = True
                    await self._send(self._close)
                    return
                elif self._location is not None:
                    frame, self._location = self._location, None
                elif self._slots:
                    frame = self._slots.pop(next(iter(self._slots)))
                else:
                    return
                await self._send({"type": "websocket.send", "text": frame.text})
        except Exception as error:  # noqa: BLE001 - each server raises its own exceptions for a client that is gone
            logger.debug("a client left during a write: %s", type(error).__name__)
            self.abandon()
        finally:
            self._flusher = None


def _close_message(code: CloseCode) -> Mapping[str, Any]:
    return {"type": "websocket.close", "code": int(code), "reason": code.reason}
