"""One WebSocket connection of our server: direct writes, close reasons, and nothing left over after the handshake."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra_ws.hub.disconnects import reconnect
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.server import twisted_adapter
from hunarmitra_ws.server.daphne_adapter import DaphneConnection
from hunarmitra_ws.server.direct_lanes import DirectLanes

if TYPE_CHECKING:
    from hunarmitra_ws.server.server import Server

logger = logging.getLogger(__name__)

PING: Final = b"\x89\x00"
"""An empty ping (RFC 6455, section 5.5.2)."""

KERNEL_BUFFER: Final = 65536
"""Bytes that the kernel may hold for a client that does not read. By default it grows to megabytes a connection, which
the lanes cannot see: locations in it are stale, and the memory is the node's."""

MOST_UNREAD_MESSAGES: Final = 64
"""Client messages that may wait for the application; stock daphne's queue has no end."""


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

    # Opening and closing

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        self._http_channel = twisted_adapter.take_http_channel(self.transport)
        twisted_adapter.set_kernel_buffer(self.transport, KERNEL_BUFFER)
        super().connectionMade()

    def settle(self) -> None:
        """The connection is live: forget its handshake, the token included."""
        self.forget_handshake()

    def onOpen(self) -> None:  # noqa: N802
        super().onOpen()
        self._release_http()
        self.heard_at = self.server.loop.time()
        self.server.pings.add(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803
        self.heard_at = self.server.loop.time()
        if self.unread_messages >= MOST_UNREAD_MESSAGES:
            self.end(CloseCode.TOO_MANY)
            return
        super().onMessage(payload, isBinary)

    def onPong(self, payload: bytes) -> None:  # noqa: N802
        self.heard_at = self.server.loop.time()

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:  # noqa: N802, N803
        super().onClose(wasClean, code, reason)
        self.server.pings.remove(self)
        metrics.closed(self.close_code(code))

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
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
        twisted_adapter.call_when_flushed(self.transport, self._flushed)

    def _flushed(self) -> None:
        if self.lanes is not None:
            self.lanes.drained()

    def end(self, code: CloseCode) -> None:
        """Send a close frame with the code and its reason."""
        self.send_close(int(code), code.reason.encode())

    def end_soon(self) -> None:
        self.server.loop.call_later(self.server.options.close_timeout, self.drop)

    # What the server does

    def ping(self) -> None:
        if self.accepts_frames:
            self.transport.write(PING)

    def drop(self) -> None:
        self.abort()

    def move_away(self, after_ms: int) -> None:
        if self.lanes is not None and not self.lanes.closing:
            self.moved = True
            metrics.drain_moved.inc()
            reconnect(after_ms).send(self.lanes)
