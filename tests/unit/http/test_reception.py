"""What the poller does when it cannot accept, and when the process stops."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from hunarmitra_http.server.connection import Connection, Phase
from hunarmitra_http.server.limits import MOST_DRAINING, Limits
from hunarmitra_http.server.reception import Reception
from tests.support.eventually import eventually

LIMITS = Limits(
    header_timeout=60,
    body_timeout=60,
    send_timeout=60,
    idle_timeout=60,
    connections=16,
    header_bytes=1000,
    body_bytes=1000,
    unsent_bytes=1000,
)
REQUEST = b"GET / HTTP/1.1\r\n\r\n"


class Listener:
    """A listening socket whose next accepts fail with these errors."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.errors: list[int] = []

    def accept(self) -> tuple[socket.socket, Any]:
        if self.errors:
            raise OSError(self.errors.pop(), "no more of it")
        return self._socket.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class Server:
    """A reception that answers `ok` in its own thread."""

    def __init__(self) -> None:
        self.listener = Listener()
        self.cut: list[str] = []
        self.served = 0
        self.reception = Reception(
            [self.listener], LIMITS, self._serve, lambda reason, _: self.cut.append(reason), lambda header, _: header
        )

    def _serve(self, connection: Connection) -> None:
        self.served += 1
        connection.incoming.take()
        connection.sock.sendall(b"ok")
        connection.sock.flush()
        self.reception.finished(connection, True)

    def count(self, *phases: Phase) -> int:
        """Connections in these phases, or in all, after another turn of the loop."""
        self.reception.wake()
        self.reception.run_once()
        counts = self.reception.counts()
        return sum(counts[phase] for phase in phases or counts)

    def connect(self) -> socket.socket:
        client = socket.create_connection(self.listener.getsockname())
        client.settimeout(60)
        return client


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.reception.close()
    running.listener.close()


def test_without_file_descriptors_it_waits_and_accepts_again(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.listener.errors = [errno.EMFILE]
    with caplog.at_level(logging.ERROR), server.connect() as client:
        client.sendall(REQUEST)
        eventually(lambda: server.count(Phase.IDLE) == 1)
        assert client.recv(10) == b"ok"
    assert caplog.messages == ["cannot accept a connection: no more of it; trying again in a second"]


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ECONNABORTED])
def test_a_client_that_is_gone_again_is_no_error(server: Server, number: int) -> None:
    server.listener.errors = [number]
    with server.connect() as client:
        client.sendall(REQUEST)
        eventually(lambda: server.count(Phase.IDLE) == 1)
        assert client.recv(10) == b"ok"


def test_an_idle_connection_ends_soon_when_the_process_stops(server: Server) -> None:
    with server.connect() as client:
        client.sendall(REQUEST)
        eventually(lambda: server.count(Phase.IDLE) == 1)
        assert client.recv(10) == b"ok"
        server.reception.stop()
        eventually(lambda: server.count() == 0)
        assert client.recv(10) == b""
    assert server.cut == [], "that is usual, and not counted"


@pytest.mark.parametrize("begin", [REQUEST[:5], b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"])
def test_a_slow_client_does_not_keep_the_process_from_stopping(server: Server, begin: bytes) -> None:
    with server.connect() as client:
        client.sendall(begin)
        eventually(lambda: server.count(Phase.HEADER, Phase.BODY) == 1)
        server.reception.stop()
        eventually(lambda: server.count(Phase.LINGERING) == 1)
        assert client.recv(100).split()[1] == b"408"
    eventually(lambda: server.count() == 0)


def test_a_client_that_leaves_is_forgotten_in_every_phase(server: Server) -> None:
    for begin, phase in (
        (b"", Phase.NEW),
        (REQUEST[:5], Phase.HEADER),
        (REQUEST, Phase.IDLE),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", Phase.BODY),
    ):
        with server.connect() as client:
            client.sendall(begin)
            eventually(lambda phase=phase: server.count(phase) == 1)  # type: ignore[misc]
        eventually(lambda: server.count() == 0)
    assert server.cut == []


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n", b""),
        (b"POST / HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n", b"x" * 500),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"ffff\r\n" + b"x" * 1001),
    ],
    ids=["expect", "length", "chunked"],
)
def test_a_body_over_the_limit_is_answered_without_a_thread_and_not_kept(
    server: Server, header: bytes, body: bytes
) -> None:
    with server.connect() as client:
        client.sendall(header + body)
        eventually(lambda: server.count(Phase.LINGERING) == 1)
        [connection] = server.reception._phases[Phase.LINGERING]
        assert not connection.incoming.data
        answer = b""
        while piece := client.recv(1000):
            answer += piece
        assert answer == header, "the answer is made from the header, without 100 Continue before it"
        client.sendall(b"x" * 1000)
        eventually(lambda: server.count() == 1 and connection.drained >= 1000)
        assert not connection.incoming.data
    eventually(lambda: server.count() == 0)
    assert server.served == 0


def test_a_flood_of_new_connections_takes_the_place_of_none_that_has_sent_a_request(server: Server) -> None:
    with server.connect() as honest, ExitStack() as stop:
        honest.sendall(REQUEST)
        eventually(lambda: server.count(Phase.IDLE) == 1)
        assert honest.recv(10) == b"ok"
        flood = [stop.enter_context(server.connect()) for _ in range(3 * LIMITS.connections)]
        eventually(
            lambda: server.count() == LIMITS.connections and len(server.cut) == 1 + len(flood) - LIMITS.connections
        )
        honest.sendall(REQUEST)
        eventually(lambda: server.count() and server.served == 2)
        assert honest.recv(10) == b"ok"
        flood[-1].sendall(REQUEST)
        eventually(lambda: server.count() and server.served == 3)
        assert flood[-1].recv(10) == b"ok", "the newest of them has a place"


def test_a_round_drops_the_bytes_of_a_few_connections_only(server: Server) -> None:
    most = MOST_DRAINING + 4
    header = b"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n"
    with ExitStack() as stop:
        server.reception._limits = replace(LIMITS, connections=most)
        clients = [stop.enter_context(server.connect()) for _ in range(most)]
        for client in clients:
            client.sendall(header)
        eventually(lambda: server.count(Phase.LINGERING) == most)
        for client in clients:
            client.sendall(b"x")
        connections = list(server.reception._phases[Phase.LINGERING])
        server.count()
        assert sum(connection.drained for connection in connections) <= MOST_DRAINING
        eventually(lambda: server.count() and sum(connection.drained for connection in connections) == most)
