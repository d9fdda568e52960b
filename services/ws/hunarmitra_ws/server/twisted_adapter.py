"""Adapter for Twisted: write past its buffers, and call back when they are empty.

Twisted has no public way to ask whether bytes wait in a transport. A write past its buffers is correct only while the
buffers are empty. Otherwise the new bytes would overtake the waiting ones, and the client would receive a broken frame.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.tcp import Connection as TcpConnection
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure

from hunarmitra.common.early_answers import late, too_large
from hunarmitra.common.private_names import Library, names_of
from hunarmitra.telemetry import request_id

logger = logging.getLogger(__name__)

_FILE_DESCRIPTOR: Final = "twisted.internet.abstract:FileDescriptor"
_CHANNEL: Final = "twisted.web.http:HTTPChannel"

LIBRARY: Final = Library(
    "Twisted",
    "26.10.0",
    (
        *names_of(
            "twisted.internet.tcp:Connection",
            {"socket": "send(2) without waiting for the event loop, and the size of the kernel's buffer"},
        ),
        *names_of(
            _FILE_DESCRIPTOR,
            {
                "_tempDataLen": "bytes that were written since the last send",
                "dataBuffer": "bytes that are being sent",
                "offset": "bytes of dataBuffer that were sent",
                "connected": "whether the transport is connected",
                "disconnecting": "whether the transport closes when its buffers are empty",
                "producer": "the object that is called when the buffers are empty; there is only one",
            },
        ),
        *names_of(
            _CHANNEL,
            {
                "requests": "the request that was upgraded, which refers back to the channel",
                "_networkProducer": "refers to the transport, which keeps the channel alive",
                "_command": "the method of the request whose body arrives",
            },
        ),
        *names_of(
            "twisted.web.http:Request",
            {
                "channel": "refers back to the channel",
                "gotLength(length)": "called when the header is complete",
                "handleContentChunk(data)": "a part of the body",
                "requestReceived(command, path, version)": "the body is complete",
            },
        ),
        *names_of("twisted.protocols.tls:_ProducerMembrane", {"_producer": "the HTTP channel of a TLS connection"}),
    ),
)


def set_kernel_buffer(transport: Any, size: int) -> None:
    """Limit the bytes that the kernel buffers for a client that does not read."""
    if isinstance(transport, TcpConnection):
        transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)


def write_directly(transport: Any, data: bytes) -> int:
    """Write at once; buffer the bytes that the kernel does not accept, and return how many these are."""
    sent = 0
    if isinstance(transport, TcpConnection) and _is_idle(transport):
        try:
            sent = transport.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            # The reactor also notices that the connection is lost, and handles it.
            return 0
        if sent == len(data):
            return 0
    transport.write(data[sent:])
    return len(data) - sent


def waiting_bytes(transport: Any) -> int:
    """Return how many written bytes the kernel has not yet accepted."""
    return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)


def _is_idle(transport: Any) -> bool:
    """Return whether Twisted's buffers are empty, so that a direct write keeps the order."""
    return (
        not transport._tempDataLen
        and len(transport.dataBuffer) == transport.offset
        and not transport.disconnecting
        and bool(transport.connected)
    )


def call_when_flushed(transport: Any, flushed: Callable[[], None]) -> None:
    """Call ``flushed`` once, when the kernel has accepted all waiting bytes; ignore further calls until then."""
    if transport.producer is None:
        producer = _WhenFlushed(transport, flushed)
        transport.registerProducer(producer, False)
        producer.armed = True


class _WhenFlushed:
    """A pull producer. Twisted calls it when the buffer is empty; it then calls ``flushed`` and produces nothing."""

    def __init__(self, transport: Any, flushed: Callable[[], None]) -> None:
        self._transport = transport
        self._flushed: Callable[[], None] | None = flushed
        self.armed = False

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        # Twisted also calls this during the registration, before anything was flushed.
        if not self.armed or self._flushed is None:
            return
        flushed = self._flushed
        self.stopProducing()
        flushed()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        transport, self._transport = self._transport, None
        self._flushed = None
        if transport is not None and transport.connected:
            transport.unregisterProducer()


def replace_protocol(transport: Any, protocol: Any) -> None:
    """Let another protocol receive what arrives on a transport. Its ``makeConnection`` is not called."""
    if isinstance(transport, ProtocolWrapper):  # TLS
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol


def close_now(transport: Any) -> None:
    """Drop a connection and free its file. Twisted alone does it in the next turn of the event loop.

    Twisted ignores its own later call of ``connectionLost``.
    """
    transport.abortConnection()
    if isinstance(transport, TcpConnection):
        transport.connectionLost(Failure(ConnectionAborted()))


def call_when_lost(protocol: Any, ended: Callable[[], None]) -> None:
    """Call ``ended`` when a protocol is told that its transport is lost."""
    lost = protocol.connectionLost

    def connection_lost(reason: Any) -> None:
        ended()
        lost(reason)

    protocol.connectionLost = connection_lost


def take_http_channel(transport: Any) -> Any:
    """Detach and return the HTTP channel of an upgraded request; it would stop reading from a slow client."""
    producer = transport.producer
    transport.unregisterProducer()
    return getattr(producer, "_producer", producer)  # TLS wraps it


def release_http_channel(channel: Any) -> None:
    """Break the reference cycle between an upgraded request of twisted.web and its channel."""
    for request in channel.requests:
        request.channel = None
    channel.requests = []
    channel.transport = channel._networkProducer = None


LINGER: Final = 1.0
"""Seconds for which the server reads and drops bytes after its last answer on a TCP connection."""


BODY_LINGER: Final = 5.0
"""The same after an answer to a body over the limit: many clients send all of it before they read an answer."""
MOST_DRAINED: Final = 4 * 1024 * 1024
"""Bytes of such a body that are received and dropped after the answer."""


def answer_and_close(transport: Any, answer: bytes, linger: float = LINGER) -> asyncio.TimerHandle:
    """Write the last bytes of a TCP connection; return the timer that drops it if the client does not close it.

    Until then the server should read and drop the bytes that still arrive. If they stayed unread, the kernel would
    reset the connection, and the client might not receive the answer.
    """
    if answer:
        transport.write(answer)
    if not ISSLTransport.providedBy(transport):
        transport.loseWriteConnection()
    return _call_later(linger, transport.abortConnection)


class EarlyAnswer:
    """For a class of twisted.web's requests: a request may be answered before its body is here."""

    answered = False
    transport: Any
    requestHeaders: Any  # noqa: N815 - Twisted's name

    def answer_early(self, answer: bytes, linger: float = LINGER) -> None:
        """Answer, and end the connection: at once for a client that closes, else after ``linger`` seconds."""
        self.answered = True
        self.requestHeaders.removeHeader(b"expect")  # else Twisted would send 100 Continue after the answer
        answer_and_close(self.transport, answer, linger)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        if not self.answered:
            super().handleContentChunk(data)  # type: ignore[misc]

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802 - Twisted's name
        if not self.answered:
            super().requestReceived(command, path, version)  # type: ignore[misc]


class BoundedBody(EarlyAnswer):
    """For a class of twisted.web's requests: a body has a limit and a deadline.

    If ``Content-Length`` is over the limit, the answer is 413 before the body. A chunked body ends at the limit while
    it arrives. One byte more is kept, so that the application sees that the body is too long and answers as it answers
    everywhere; the rest is dropped. If it is longer by more than ``most_dropped``, or late, it is answered here.
    """

    most_bytes: int
    most_dropped: int
    body_timeout: float
    count_too_large: Callable[[str], None] | None = None
    """Called with the method of a request that is answered here with 413."""

    channel: Any
    _arrived = 0
    _late: asyncio.TimerHandle | None = None

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        kept = self.most_bytes + 1
        # What is longer than 100,000 bytes, or of unknown length, Twisted keeps in a file: bounded like the rest.
        super().gotLength(kept if length is None else min(length, kept))  # type: ignore[misc]
        if length == 0:
            return
        if length is not None and length > self.most_bytes:
            self._answer_too_large()
        else:
            self._late = _call_later(self.body_timeout, self.answer_early, LATE)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        room = self.most_bytes + 1 - self._arrived
        self._arrived += len(data)
        if self.answered:
            if self._arrived > MOST_DRAINED:
                self.transport.abortConnection()
        elif room > 0:
            super().handleContentChunk(data[:room])
        elif self._arrived > self.most_bytes + self.most_dropped:
            self._answer_too_large()
            self._arrived = 0

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802 - Twisted's name
        self._forget_deadline()
        super().requestReceived(command, path, version)

    def connectionLost(self, reason: Any) -> None:  # noqa: N802 - Twisted's name
        self._forget_deadline()
        super().connectionLost(reason)  # type: ignore[misc]

    def _answer_too_large(self) -> None:
        self._forget_deadline()
        identifier = request_id.accept(self._offered(b"x-request-id"))
        fields = {"request_id": identifier, "status": 413}
        if self.count_too_large is not None:
            self.count_too_large(self.channel._command.decode("latin-1"))
        logger.info("request %s: 413, body over %d bytes", identifier, self.most_bytes, extra={"fields": fields})
        self.answer_early(too_large(self.most_bytes, identifier, self._offered(b"origin")), BODY_LINGER)

    def _offered(self, name: bytes) -> str | None:
        values = self.requestHeaders.getRawHeaders(name)
        return values[0].decode("latin-1") if values else None

    def _forget_deadline(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            late.cancel()


LATE: Final = late()


def _call_later(seconds: float, function: Callable[..., object], *arguments: object) -> asyncio.TimerHandle:
    """Call on the event loop on which the reactor runs."""
    return asyncio.get_running_loop().call_later(seconds, function, *arguments)
