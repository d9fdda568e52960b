"""One WebSocket connection of our server: daphne's protocol, with direct writes, reasons, and no leftovers."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any, Final

from daphne.ws_protocol import WebSocketProtocol
from twisted.internet.tcp import Connection as TcpConnection

from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra_ws.hub.refusals import reconnect
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.server.direct_lanes import DirectLanes
from hunarmitra_ws.server.leanness import shed

if TYPE_CHECKING:
    from hunarmitra_ws.server.server import Server

logger = logging.getLogger(__name__)

PING: Final = b"\x89\x00"
"""An empty ping (RFC 6455, section 5.5.2)."""

KERNEL_BUFFER: Final = 65536
"""Bytes that the kernel may hold for a client that does not read. Left to itself it grows to megabytes a socket,
which the lanes cannot see: positions in it are stale, and the memory is the node's."""

MOST_UNREAD_MESSAGES: Final = 64
"""Client messages that may wait for the application; stock daphne's queue has no end."""


class ServerProtocol(WebSocketProtocol):
    """``kind`` is empty until the socket is live; times are the event loop's."""

    server: Server
    lanes: DirectLanes | None = None
    kind: str = ""
    joined_at: float = 0.0
    heard_at: float = 0.0
    pinged_at: float = 0.0
    look_at: int = 0
    moved: bool = False
    request: Any
    _http_channel: Any = None

    # Coming and going

    def __init__(self) -> None:
        """Not autobahn's, which makes what nobody waits for and what our class has: see :mod:`.leanness`."""

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        # The HTTP channel that carried the upgrade is still registered with the transport: it would stop reading
        # when a client is slow.
        self._http_channel = getattr(self.transport, "producer", None)
        self.transport.unregisterProducer()
        if isinstance(self.transport, TcpConnection):
            self.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
        super().connectionMade()

    def settle(self) -> None:
        """The socket is live: forget how it came to be, the token included."""
        self.request = _Requested(self.request.path)
        shed(self)

    def onOpen(self) -> None:  # noqa: N802
        super().onOpen()
        self._release_http()
        self.heard_at = self.server.loop.time()
        self.server.pings.add(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803
        self.heard_at = self.server.loop.time()
        if self.application_queue.qsize() >= MOST_UNREAD_MESSAGES:
            self.end(CloseCode.TOO_MANY)
            return
        super().onMessage(payload, isBinary)

    def onPong(self, payload: bytes) -> None:  # noqa: N802
        self.heard_at = self.server.loop.time()

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:  # noqa: N802, N803
        super().onClose(wasClean, code, reason)
        self.server.pings.remove(self)
        # Whoever closes first says why; autobahn answers any code with 1000.
        metrics.closed((self.localCloseCode if self.closedByMe else self.remoteCloseCode) or code or 1006)

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        super().connectionLost(reason)
        self._release_http()
        # These refer back to us: with them a closed connection would wait for the cyclic collector.
        self.application_deferred = None
        self.request = None
        self.lanes = None

    def _release_http(self) -> None:
        """Forget the HTTP request that was upgraded; twisted.web keeps it and its channel in a cycle."""
        channel, self._http_channel = self._http_channel, None
        if channel is None:
            return
        for request in getattr(channel, "requests", ()):
            request.channel = None
        channel.requests = []
        channel.transport = channel._networkProducer = None  # noqa: SLF001 - its owner is done with it

    def check_timeouts(self) -> None:
        """daphne's walk over all connections does not reach us: :class:`Pings` looks at those that are due."""

    # What the lanes need

    def write(self, data: bytes) -> int:
        transport = self.transport
        if transport is None or self.state != self.STATE_OPEN:
            return 0
        sent = 0
        if isinstance(transport, TcpConnection) and _is_idle(transport):
            try:
                sent = transport.socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                # The reactor finds out by itself that the connection is gone.
                return 0
            if sent == len(data):
                return 0
        transport.write(data[sent:])
        self._call_when_drained()
        return len(data) - sent

    def end(self, code: CloseCode) -> None:
        """Unlike ``sendClose`` this lets the RFC's own codes through, and the reason with them."""
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(int(code), code.reason.encode(), isReply=False)

    def end_soon(self) -> None:
        self.server.loop.call_later(self.server.options.close_timeout, self.drop)

    # What the server does

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802
        self.sendCloseFrame(code if code is not None else 1000, None, isReply=False)

    def ping(self) -> None:
        if self.state == self.STATE_OPEN and self.transport is not None:
            self.transport.write(PING)

    def drop(self) -> None:
        if self.transport is not None and self.state != self.STATE_CLOSED:
            self.transport.abortConnection()

    def move_away(self, after_ms: int) -> None:
        if self.lanes is not None and not self.lanes.closing:
            self.moved = True
            metrics.drain_moved.inc()
            reconnect(after_ms).send(self.lanes)

    def _call_when_drained(self) -> None:
        producer = _WhenDrained(self)
        if self.transport is not None and getattr(self.transport, "producer", None) is None:
            self.transport.registerProducer(producer, False)
            producer.armed = True


class _Requested:
    """What daphne's log of actions wants to know of a request."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path


class _WhenDrained:
    """A pull producer: Twisted asks it for more when its buffer is empty, which is all that we want to know."""

    def __init__(self, protocol: ServerProtocol) -> None:
        self._protocol: ServerProtocol | None = protocol
        self.armed = False

    def resumeProducing(self) -> None:  # noqa: N802
        protocol = self._protocol
        # Twisted asks once while registering, before anything has drained.
        if not self.armed or protocol is None:
            return
        self._protocol = None
        if protocol.transport is not None:
            protocol.transport.unregisterProducer()
        if protocol.lanes is not None:
            protocol.lanes.drained()

    def stopProducing(self) -> None:  # noqa: N802
        self._protocol = None


def _is_idle(transport: Any) -> bool:
    """Whether nothing waits in Twisted's own buffers, so that a direct write keeps the order."""
    return (
        not transport._tempDataLen  # noqa: SLF001 - there is no public way to ask
        and len(transport.dataBuffer) == transport.offset
        and not transport.disconnecting
        and bool(transport.connected)
    )
