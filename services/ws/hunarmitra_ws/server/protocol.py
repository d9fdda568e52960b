"""One WebSocket connection of the ws server: direct writes, close reasons, and no handshake data once it is live."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra_ws.client_messages import TokenBucket
from hunarmitra_ws.hub.disconnects import reconnect
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.server import twisted_adapter
from hunarmitra_ws.server.autobahn_adapter import CONTINUATION, FIRST_CONTROL_OPCODE
from hunarmitra_ws.server.daphne_adapter import DaphneConnection
from hunarmitra_ws.server.direct_lanes import DirectLanes

if TYPE_CHECKING:
    from hunarmitra_ws.server.server import Server

logger = logging.getLogger(__name__)

PING: Final = b"\x89\x00"
"""An empty ping (RFC 6455, section 5.5.2)."""

PONG: Final = 0x8A
"""The first byte of a pong."""

KERNEL_BUFFER: Final = 65536
"""Bytes that the kernel may buffer for a client that does not read. By default the buffer grows to megabytes for each
connection. The lanes cannot count these bytes, locations in the buffer become stale, and the memory is the node's."""

MOST_UNREAD_MESSAGES: Final = 64
"""Client messages that may wait for the application; stock daphne's queue has no limit."""

FRAMES_PER_MESSAGE: Final = 4
"""Frames that a client may send for each allowed message. Fragments, pings and pongs count too."""

MOST_FRAGMENTS: Final = 64
"""Frames of one message. An empty frame also keeps some bytes until the message is complete, and no size limit counts
them."""

MOST_FRAMES_AFTER_CLOSE: Final = 256
"""Frames that the server still reads after it has sent a close frame. It answers only a close frame among them."""


class ServerProtocol(DaphneConnection):
    """One WebSocket connection. ``kind`` is empty until the connection is live. Times are those of the event loop."""

    server: Server
    lanes: DirectLanes | None = None
    kind: str = ""
    joined_at: float = 0.0
    heard_at: float = 0.0
    pinged_at: float = 0.0
    due_second: int = 0
    moved: bool = False
    _http_channel: Any = None
    _budget: TokenBucket | None = None
    _fragments: int = 0
    _after_close: int = 0
    _pong: bytes | None = None
    _stalled: bool = False
    _waited: int = -1

    # Opening and closing

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        self._http_channel = twisted_adapter.take_http_channel(self.transport)
        twisted_adapter.set_kernel_buffer(self.transport, KERNEL_BUFFER)
        super().connectionMade()

    def onConnect(self, request: Any) -> Any:  # noqa: N802
        self.handshake_answered = False
        return super().onConnect(request)

    def onOpen(self) -> None:  # noqa: N802
        del self.handshake_answered
        super().onOpen()
        self.transport.resumeProducing()
        self._release_http()
        self.heard_at = self.server.loop.time()
        self.server.pings.add(self)

    def frame_received(self, opcode: int) -> None:
        """Count one frame, and close the connection if the client has sent too many."""
        if not self.accepts_frames:
            self._after_close += 1
            if self._after_close > MOST_FRAMES_AFTER_CLOSE:
                self.stop()
            return
        now = self.heard_at = self.server.loop.time()
        if self._budget is None:
            environment = settings.ENVIRONMENT
            self._budget = TokenBucket(
                environment.ws_messages_per_second * FRAMES_PER_MESSAGE,
                environment.ws_message_burst * FRAMES_PER_MESSAGE,
                now,
            )
        if opcode < FIRST_CONTROL_OPCODE:
            self._fragments = self._fragments + 1 if opcode == CONTINUATION else 1
        if not self._budget.take(now) or self._fragments > MOST_FRAGMENTS:
            self.close_with(CloseCode.TOO_MANY)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803
        if not self.accepts_frames:
            return
        if self.unread_messages >= MOST_UNREAD_MESSAGES:
            self.close_with(CloseCode.TOO_MANY)
            return
        super().onMessage(payload, isBinary)

    def onPing(self, payload: bytes) -> None:  # noqa: N802
        """Send a pong. While pongs cannot be sent, keep only that of the newest ping (RFC 6455, section 5.5.3)."""
        pong = bytes((PONG, len(payload))) + payload
        if self._stalled:
            self._pong = pong
        else:
            self._write_control(pong)

    def onPong(self, payload: bytes) -> None:  # noqa: N802
        """Do nothing: :meth:`frame_received` notes the time of every frame."""

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:  # noqa: N802, N803
        super().onClose(wasClean, code, reason)
        self.server.pings.remove(self)
        metrics.closed(self.close_code(code))

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
        super().connectionLost(reason)
        self._release_http()
        if self.lanes is not None:
            # This ends a join that is in progress, so that it does not go live without a client.
            self.lanes.abandon()
        self.break_cycles()
        self.lanes = None

    def _release_http(self) -> None:
        channel, self._http_channel = self._http_channel, None
        if channel is not None:
            twisted_adapter.release_http_channel(channel)

    # Writes of the lanes

    def on_backpressure(self) -> None:
        """Stop reading from a client that does not read."""
        if not self._stalled:
            self._stalled = True
            self.transport.pauseProducing()
        twisted_adapter.call_when_flushed(self.transport, self._flushed)

    def _flushed(self) -> None:
        self._stalled = False
        if self.transport is not None:
            self.transport.resumeProducing()
        if self.lanes is not None:
            self.lanes.flushed()
        pong, self._pong = self._pong, None
        if pong is not None:
            self._write_control(pong)

    def _write_control(self, frame: bytes) -> None:
        waiting = self.write(frame)
        if waiting and self.lanes is not None:
            self.lanes.add_waiting(waiting)

    def progressed(self) -> bool:
        """Return whether bytes left the buffer since the last call, while the server does not read from the client.

        Such a client is slow, but not disconnected.
        """
        if not self._stalled:
            return False
        waited, self._waited = self._waited, twisted_adapter.waiting_bytes(self.transport)
        return waited != self._waited

    def close_with(self, code: CloseCode) -> None:
        """Send a close frame with the code and its reason; the connection no longer counts towards the cap."""
        if self in self.server.open_connections:
            self.server.closing_connections.add(self)
        self.send_close(int(code), code.reason.encode())

    def abort_later(self) -> None:
        self.server.loop.call_later(self.server.options.close_timeout, self.drop)

    # Pings and drain

    def ping(self) -> None:
        if self.accepts_frames and not self._stalled:
            self._write_control(PING)

    def drop(self) -> None:
        self.abort()

    def move_away(self, after_ms: int) -> None:
        if self.lanes is not None and not self.lanes.closing:
            self.moved = True
            metrics.drain_moved.inc()
            reconnect(after_ms).send(self.lanes)
