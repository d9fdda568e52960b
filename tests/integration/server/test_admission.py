"""Clients that connect and do not show a valid token: others notice nothing."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

from hunarmitra_ws.server.options import SPARE_FILES
from tests.integration.server.conftest import own_server
from tests.support import web
from tests.support.actors import Actors
from tests.support.eventually import eventually
from tests.support.raw_sockets import CLOSE, TEXT, UPGRADE, RawSocket, frame
from tests.support.services import OwnServer

HALF = b"GET /ws/notifications/ HTTP/1.1\r\nHost: localhost\r\n"


@contextlib.contextmanager
def guarded(folder: Path, **limits: str) -> Iterator[tuple[OwnServer, str]]:
    """Yield a server with these limits, and a path with a valid token."""
    with own_server(folder, **limits) as (server, stack), contextlib.closing(Actors.of(stack)) as actors:
        yield server, token_path(actors)


def token_path(actors: Actors) -> str:
    return f"/ws/notifications/?token={actors.employer.token}"


def join(server: OwnServer, path: str) -> RawSocket:
    with contextlib.ExitStack() as unless_joined:
        connection = unless_joined.enter_context(RawSocket(server.port))
        connection.upgrade(path)
        assert next(connection.frames())[0] == TEXT
        unless_joined.pop_all()
    return connection


def half(server: OwnServer, address: str = "127.0.0.1") -> socket.socket:
    """Send half a request from an address of this machine."""
    client = socket.create_connection(("127.0.0.1", server.port), timeout=60, source_address=(address, 0))
    with contextlib.suppress(ConnectionError):
        client.sendall(HALF)
    return client


def is_open(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_more_half_finished_handshakes_than_open_files_take_nobodys_place(tmp_path: Path) -> None:
    limits = {"WS_MAX_CONNECTIONS": "100", "WS_UNAUTHENTICATED_CONNECTIONS": "60"}
    with guarded(tmp_path, **limits) as (server, path), contextlib.ExitStack() as crowd:
        files = 100 + 60 + SPARE_FILES
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (files, files))
        before = crowd.enter_context(join(server, path))
        for _ in range(files + 50):
            crowd.callback(half(server).close)
        crowd.enter_context(join(server, path))
        assert web.get(f"{server.admin_url}/livez", timeout=30).status_code == 200
        before.send(b"\x89\x80\0\0\0\0")
        assert next(before.frames())[0] == 10
        metrics = web.get(f"{server.admin_url}/metrics", timeout=30).text
        assert 'ws_connections_cut_total{reason="full"}' in metrics
        assert 'ws_connections_cut_total{reason="full"} 0.0' not in metrics


def test_half_finished_handshakes_of_one_address_give_way_and_others_stay(tmp_path: Path) -> None:
    with (
        guarded(tmp_path, WS_UNAUTHENTICATED_PER_ADDRESS="5", WS_HANDSHAKE_TIMEOUT="300") as (server, path),
        contextlib.ExitStack() as crowd,
    ):
        other = crowd.enter_context(half(server, "127.0.0.2"))
        oldest = crowd.enter_context(half(server))

        def closed() -> bool:
            crowd.enter_context(half(server))
            return not is_open(oldest)

        eventually(closed, 60, "the oldest gives way", interval=0.1)
        assert is_open(other)
        crowd.enter_context(join(server, path))


def test_behind_a_trusted_proxy_the_clients_address_counts(tmp_path: Path) -> None:
    """Of rejected clients that ignore the close, those with the same address give way to each other."""
    limits = {"TRUSTED_PROXIES": "127.0.0.1", "WS_UNAUTHENTICATED_PER_ADDRESS": "2", "WS_CLOSE_TIMEOUT": "300"}
    with guarded(tmp_path, **limits) as (server, _), contextlib.ExitStack() as crowd:
        waiting = [crowd.enter_context(half(server)) for _ in range(10)]

        def rejected(address: str) -> RawSocket:
            client = crowd.enter_context(RawSocket(server.port))
            client.upgrade("/ws/notifications/", f"X-Forwarded-For: {address}")
            assert any(opcode == CLOSE for opcode, _ in client.frames())
            return client

        other, oldest = rejected("192.0.2.2"), rejected("192.0.2.1")

        def closed() -> bool:
            rejected("192.0.2.1")
            return not is_open(oldest.socket)

        eventually(closed, 60, "the oldest gives way", interval=0.1)
        assert is_open(other.socket)
        assert all(is_open(each) for each in waiting)


def test_connections_of_requests_count_where_rest_is_served_too(tmp_path: Path) -> None:
    """Idle ones after a request give way to newer connections; so they cannot use up the open files."""
    with (
        guarded(tmp_path, WS_UNAUTHENTICATED_CONNECTIONS="5", SERVICES="http,ws") as (server, path),
        contextlib.ExitStack() as crowd,
    ):
        idle = crowd.enter_context(RawSocket(server.port))
        idle.request("/api/schema/none/")
        assert idle.header().startswith("HTTP/1.1 404")

        def closed() -> bool:
            crowd.enter_context(half(server))
            return not is_open(idle.socket)

        eventually(closed, 60, "the idle one gives way", interval=0.1)
        crowd.enter_context(join(server, path))


def test_tickets_that_do_not_exist_use_up_no_admission(tmp_path: Path) -> None:
    with guarded(tmp_path, WS_CONNECT_BURST="2", WS_CONNECTS_PER_SECOND="0.1") as (server, path):
        for _ in range(5):
            with RawSocket(server.port) as client:
                client.upgrade("/ws/notifications/?ticket=none")
                assert client.close_code() == 4001
        for _ in range(2):
            join(server, path).socket.close()


def test_a_foreign_host_is_answered_400(tmp_path: Path) -> None:
    with guarded(tmp_path) as (server, path), RawSocket(server.port) as client:
        client.request(path, *UPGRADE, host="evil.example")
        assert client.header().startswith("HTTP/1.1 400")
        assert client.rest() == b""


def test_a_connection_writes_no_line_of_its_own_to_the_log(tmp_path: Path) -> None:
    with guarded(tmp_path, LOG_LEVEL="INFO") as (server, path):
        with join(server, path) as client:
            client.send(frame(CLOSE))
            assert client.close_code() is not None
        assert "connection open" not in server.log_text()
        assert "connection closed" not in server.log_text()
