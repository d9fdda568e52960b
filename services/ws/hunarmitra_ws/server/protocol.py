"""One WebSocket connection of our server: direct writes, close reasons, and nothing left over after the handshake."""

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
"""Bytes that the kernel may hold for a client that does not read. By default it grows to megabytes a connection, which
the lanes cannot see: locations in it are stale, and the memory is the node's."""

MOST_UNREAD_MESSAGES: Final = 64
"""Client messages that may wait for the application; stock daphne's queue has no end."""

FRAMES_PER_MESSAGE: Final = 4
"""Frames of any kind that a client may send for each message that it may send: fragments, pings and pongs count too."""

MOST_FRAGMENTS: Final = 64
"""Frames of one message. Each empty one keeps some bytes until the message is complete, and no size limit sees them."""

MOST_FRAMES_AFTER_CLOSE: Final = 256
"""Frames that may still be on their way when we have sent a close frame. Only a close frame among them is answered."""


class ServerProtocol(DaphneConnection):
    """``kind`` is empty until the connection is live; times are the event loop's."""

    server: Server
    lanes: DirectLanes | None = None
    kind: str = ""
    joined_at: float = 0.0
    heard_at: float = 0.0
    pinged_at: float = 0.0
    look_at: int = 0
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

    def settle(self) -> None:
        """The connection is live: forget its handshake, the token included."""
        self.forget_handshake()

    def onOpen(self) -> None:  # noqa: N802
        del self.handshake_answered
        super().onOpen()
        self.transport.resumeProducing()
        self._release_http()
        self.heard_at = self.server.loop.time()
        self.server.pings.add(self)

    def frame_arrived(self, opcode: int) -> None:
        """Charge one frame to the client's budget. Over it, the connection is closed."""
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
            self.end(CloseCode.TOO_MANY)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803
        if not self.accepts_frames:
            return
        if self.unread_messages >= MOST_UNREAD_MESSAGES:
            self.end(CloseCode.TOO_MANY)
            return
        super().onMessage(payload, isBinary)

    def onPing(self, payload: bytes) -> None:  # noqa: N802
        """Answer the newest ping only, where older answers have not left (RFC 6455, section 5.5.3)."""
        pong = bytes((PONG, len(payload))) + payload
        if self._stalled:
            self._pong = pong
        else:
            self._write_control(pong)

    def onPong(self, payload: bytes) -> None:  # noqa: N802
        """Do nothing: every frame shows that the client is there."""

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:  # noqa: N802, N803
        super().onClose(wasClean, code, reason)
        self.server.pings.remove(self)
        metrics.closed(self.close_code(code))

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
        super().connectionLost(reason)
        self._release_http()
        if self.lanes is not None:
            # A join that is under way ends, instead of going live without a client.
            self.lanes.abandon()
        self.break_cycles()
        self.lanes = None

    def _release_http(self) -> None:
        channel, self._http_channel = self._http_channel, None
        if channel is not None:
            twisted_adapter.release_http_channel(channel)

    # What the lanes need

    def not_taken(self) -> None:
        """Stop reading from a client that does not take what it is sent."""
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
            self.lanes.also_waiting(waiting)

    def progressed(self) -> bool:
        """Whether a client that is not read has taken bytes since the last call: it is slow, and not gone."""
        if not self._stalled:
            return False
        waited, self._waited = self._waited, twisted_adapter.waiting_bytes(self.transport)
        return waited != self._waited

    def end(self, code: CloseCode) -> None:
        """Send a close frame with the code and its reason, and give up the place."""
        if self in self.server.open_connections:
            self.server.leaving.add(self)
        self.send_close(int(code), code.reason.encode())

    def end_soon(self) -> None:
        self.server.loop.call_later(self.server.options.close_timeout, self.drop)

    # What the server does

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
