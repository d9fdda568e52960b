"""Adapter for Twisted: write past its buffers, and call back when they are empty.

Twisted has no public way to ask whether bytes wait in a transport. A write past its buffers is correct only while the
buffers are empty. Otherwise the new bytes would overtake the waiting ones, and the client would receive a broken frame.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.tcp import Connection as TcpConnection

from hunarmitra.common.private_names import Library, names_of

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
            },
        ),
        *names_of("twisted.web.http:Request", {"channel": "refers back to the channel"}),
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


def take_http_channel(transport: Any) -> Any:
    """Detach and return the HTTP channel of an upgraded request; it would stop reading from a slow client."""
    channel = transport.producer
    transport.unregisterProducer()
    return channel


def release_http_channel(channel: Any) -> None:
    """Break the reference cycle between an upgraded request of twisted.web and its channel."""
    for request in channel.requests:
        request.channel = None
    channel.requests = []
    channel.transport = channel._networkProducer = None
