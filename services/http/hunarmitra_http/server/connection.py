"""One connection of a client, and the socket that gunicorn writes its responses to."""

from __future__ import annotations

import socket
from enum import Enum, auto
from typing import Any, Final

from hunarmitra_http.server.framing import Incoming

SEND_AT: Final = 65536
"""Bytes of a response that are gathered before they are sent; a shorter response is one system call."""


class Phase(Enum):
    """What a connection waits for."""

    NEW = auto()
    """The first byte of its first request."""
    IDLE = auto()
    """The first byte of another request."""
    HEADER = auto()
    """The rest of a header."""
    BODY = auto()
    """The rest of a body."""
    SERVING = auto()
    """A free thread, or the application."""
    SENDING = auto()
    """The client, which has not taken all of the response."""
    LINGERING = auto()
    """The client's end of the connection, after the last response."""
    CLOSED = auto()


class Connection:
    """``sock``, ``client`` and ``server`` are what gunicorn's ``handle_request`` expects of a connection."""

    __slots__ = ("client", "deadline", "drained", "incoming", "keeps", "phase", "server", "since", "sock")

    def __init__(self, sock: socket.socket, client: Any, server: Any, incoming: Incoming) -> None:
        self.sock = Outgoing(sock)
        self.client = client
        self.server = server
        self.incoming = incoming
        self.phase = Phase.NEW
        self.since = 0.0
        self.deadline = 0.0
        self.drained = 0
        self.keeps = False
        """Whether the connection stays open after the response."""

    @property
    def socket(self) -> socket.socket:
        return self.sock.socket


class Outgoing:
    """Sends without waiting for the client: what the client does not take is kept, and sent by the poller."""

    __slots__ = ("socket", "unsent")

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.unsent = bytearray()

    def sendall(self, data: bytes) -> None:
        """Take a part of a response. Raises OSError if the connection is gone."""
        self.unsent += data
        if len(self.unsent) >= SEND_AT:
            self.flush()

    def flush(self) -> None:
        """Give the kernel what it takes. Raises OSError if the connection is gone."""
        while self.unsent:
            try:
                sent = self.socket.send(self.unsent)
            except BlockingIOError:
                return
            del self.unsent[:sent]

    def gettimeout(self) -> float:
        """Return what a non-blocking socket returns: gunicorn asks before it writes an error page."""
        return 0.0

    def shutdown(self, how: int) -> None:
        """Raise OSError: gunicorn would then wait for the client. The poller ends connections."""
        raise OSError("the poller ends connections")

    def close(self) -> None:
        """Do nothing: the poller closes the connection when the thread is done with it."""
