"""Clients that are slow or stuck: they take no thread, honest requests and probes are answered, and each is cut off."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support import held_wsgi, services, web
from tests.support.eventually import eventually
from tests.support.metrics import Scrape
from tests.support.ports import free_port
from tests.support.raw_sockets import RawSocket
from tests.support.services import HOST, ServiceProcess
from tests.support.stack import base_environment, fresh_sqlite

MANY = 200
UNSENT = {
    "header": b"GET /api/v1/users/me/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    "body": b"POST /api/v1/auth/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 60\r\n\r\n{     ",
}
"""Requests that stop in the middle."""

LARGE = 4_000_000
"""Bytes of a response that the kernel does not take at once."""


class Server:
    """gunicorn with an admin port, and the paths of `held_wsgi`."""

    def __init__(self, process: ServiceProcess, admin_port: int, held: Path) -> None:
        self.process = process
        self.port = process.port
        self.admin_port = admin_port
        self._held = held

    def release(self) -> None:
        """Let requests of `/held` end."""
        self._held.touch()

    def scrape(self) -> Scrape:
        return Scrape(f"http://{HOST}:{self.admin_port}/metrics")

    def cut(self, reason: str) -> float:
        return self.scrape()("hunarmitra_http_connections_cut_total", reason=reason)

    def connections(self, state: str) -> float:
        return self.scrape()("hunarmitra_http_connections", state=state)

    def answers_probes(self) -> bool:
        urls = [f"http://{HOST}:{self.admin_port}{path}" for path in ("/livez", "/readyz", "/metrics")]
        return [web.get(url, timeout=60).status_code for url in urls] == [200] * 3

    def answers(self) -> bool:
        """Whether an honest request gets the application's response."""
        url = f"http://{HOST}:{self.port}/api/v1/users/me/"
        return web.get(url, timeout=60).status_code == 401

    def log_lines(self) -> list[str]:
        return [line for line in self.process.log_text().splitlines() if "slow clients" in line]


@contextmanager
def running(directory: Path, *options: str, **variables: str) -> Iterator[Server]:
    admin_port, held = free_port(), directory / "held-until"
    environment = base_environment(DATABASE_URL=fresh_sqlite(directory), HTTP_ADMIN_PORT=str(admin_port)) | {
        "WEB_CONCURRENCY": "2",
        "WEB_THREADS": "2",
        held_wsgi.FILE: str(held),
        **variables,
    }
    options = ("--bind", f"{HOST}:{admin_port}", *options)
    with services.gunicorn(directory, environment, *options, application=held_wsgi.APPLICATION) as process:
        yield Server(process, admin_port, held)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose deadlines are longer than any test: what answers does not answer because others were cut off."""
    with running(
        tmp_path_factory.mktemp("patient"),
        HTTP_HEADER_TIMEOUT="300",
        HTTP_BODY_TIMEOUT="300",
        HTTP_SEND_TIMEOUT="300",
        HTTP_SEND_BUFFER_BYTES=str(MANY * LARGE),
    ) as server:
        yield server


@pytest.fixture
def clients(patient: Server) -> Iterator[list[RawSocket]]:
    with ExitStack() as stop:
        yield [stop.enter_context(RawSocket(patient.port, receive_buffer=4096)) for _ in range(MANY)]


@pytest.mark.parametrize("part", UNSENT)
def test_a_request_that_stops_takes_no_thread(patient: Server, clients: list[RawSocket], part: str) -> None:
    for client in clients:
        client.send(UNSENT[part])
    eventually(lambda: patient.connections("receiving") == MANY, 60, "the server has all of them")
    for _ in range(5):
        assert patient.answers_probes()
        assert patient.answers()


def test_a_byte_at_a_time_takes_no_thread(patient: Server, clients: list[RawSocket]) -> None:
    stop = threading.Event()

    def trickle() -> None:
        for client in clients:
            client.send(UNSENT["header"])
        while not stop.wait(0.2):
            for client in clients:
                client.send(b"x")

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        eventually(lambda: patient.connections("receiving") == MANY, 60, "the server has all of them")
        for _ in range(7):
            assert patient.answers_probes()
            assert patient.answers()
    finally:
        stop.set()
        thread.join()


def test_a_response_that_is_not_read_takes_no_thread(patient: Server, clients: list[RawSocket]) -> None:
    for client in clients:
        client.request(f"/large?{LARGE}")
    eventually(lambda: patient.connections("sending") == MANY, 60, "all responses wait for their clients")
    for _ in range(5):
        assert patient.answers_probes()
        assert patient.answers()
    client = clients[0]
    assert client.header().split()[1] == "200"
    client.request("/large?1", "Connection: close")
    assert len(client.rest().partition(b"HTTP/1.1 200 OK")[0]) == LARGE, "a slow client gets all of it"


def test_slow_clients_of_the_admin_port_do_not_take_the_probes(patient: Server) -> None:
    with ExitStack() as stop:
        for number in range(MANY):
            client = stop.enter_context(RawSocket(patient.admin_port, receive_buffer=4096))
            if number % 2:
                client.send(UNSENT["header"])
            else:
                client.request("/metrics")
        for _ in range(7):
            assert patient.answers_probes()


def test_slow_clients_are_cut_off_counted_and_logged_once(tmp_path: Path) -> None:
    times = {f"HTTP_{name}_TIMEOUT": "0.5" for name in ("HEADER", "BODY", "SEND")}
    with running(tmp_path, **times, HTTP_SEND_BUFFER_BYTES=str(20 * LARGE)) as server, ExitStack() as stop:
        for part, request in UNSENT.items():
            clients = [stop.enter_context(RawSocket(server.port)) for _ in range(20)]
            for client in clients:
                client.send(request)
            for client in clients:
                header, body = client.header(), client.rest()
                assert header.split()[1] == "408"
                assert b'"request_timeout"' in body
            assert server.cut(part) == 20
        clients = [stop.enter_context(RawSocket(server.port, receive_buffer=4096)) for _ in range(20)]
        for client in clients:
            client.request(f"/large?{LARGE}")
        eventually(lambda: server.cut("response") == 20, 60, "no response waits without limit")
        with RawSocket(server.port) as silent:
            assert silent.rest() == b""
        assert server.cut("silent") >= 1
        lines = eventually(server.log_lines, 60, "it is logged")
        assert len(lines) <= 2, "one for each process, however many clients there are"
        assert all("connections cut off" in line for line in lines)
        assert server.answers()


def test_a_byte_at_a_time_does_not_move_the_deadline(tmp_path: Path) -> None:
    with running(tmp_path, HTTP_HEADER_TIMEOUT="1") as server, RawSocket(server.port) as client:
        client.send(UNSENT["header"])
        client.socket.settimeout(0.1)
        received = b""
        while not received:
            client.send(b"x")
            try:
                received = client.socket.recv(100)
            except TimeoutError:
                continue
        assert received.split()[1] == b"408"


def test_probes_answer_while_all_threads_are_busy_and_all_places_taken(tmp_path: Path) -> None:
    most = 16
    with running(tmp_path, HTTP_MAX_CONNECTIONS=str(most), WEB_CONCURRENCY="1") as server, ExitStack() as stop:
        clients = [stop.enter_context(RawSocket(server.port)) for _ in range(most + 8)]
        for client in clients:
            client.request("/held", "Connection: close")
        eventually(lambda: server.connections("waiting") == most - 2, 60, "all places are taken")
        assert server.connections("serving") == 2
        for _ in range(5):
            assert server.answers_probes()
        server.release()
        for client in clients:
            assert client.header().split()[1] == "200", "those that waited for a place are answered too"


def test_probes_need_no_free_thread_on_the_public_port_either(tmp_path: Path) -> None:
    held = tmp_path / "held-until"
    environment = base_environment(
        DATABASE_URL=fresh_sqlite(tmp_path), WEB_CONCURRENCY="1", WEB_THREADS="1", LOG_LEVEL="DEBUG"
    ) | {held_wsgi.FILE: str(held)}
    with services.gunicorn(tmp_path, environment, application=held_wsgi.APPLICATION) as process, ExitStack() as stop:
        clients = [stop.enter_context(RawSocket(process.port)) for _ in range(3)]
        for client in clients:
            client.request("/held", "Connection: close")
        for path in ("/livez", "/readyz"):
            assert web.get(process.url + path, timeout=60).status_code == 200
        held.touch()
        assert {client.header().split()[1] for client in clients} == {"200"}


def test_slow_clients_make_room_for_honest_ones(tmp_path: Path) -> None:
    """More slow clients than places, with deadlines that do not end them: the slowest are closed."""
    most = 16
    options = {"HTTP_MAX_CONNECTIONS": str(most), "HTTP_HEADER_TIMEOUT": "300", "WEB_CONCURRENCY": "1"}
    with running(tmp_path, **options) as server, ExitStack() as stop:
        clients = [stop.enter_context(RawSocket(server.port)) for _ in range(3 * most)]
        for client in clients:
            client.send(UNSENT["header"])
        for _ in range(5):
            assert server.answers()
            assert server.answers_probes()
        assert server.cut("full") >= 5
        assert sum(server.connections(state) for state in ("idle", "receiving", "sending")) <= most


def test_an_idle_connection_makes_room_too(tmp_path: Path) -> None:
    most = 16
    # One thread, which gives a connection back before it serves the next one: they become idle in this order.
    options = {"HTTP_MAX_CONNECTIONS": str(most), "WEB_CONCURRENCY": "1", "WEB_THREADS": "1"}
    with running(tmp_path, **options) as server, ExitStack() as stop:
        clients = [stop.enter_context(RawSocket(server.port)) for _ in range(most)]
        for client in clients:
            client.request("/large?1")
            assert client.header().split()[1] == "200"
        assert server.answers()
        assert clients[0].rest() == b"x", "the one that was idle for the longest time"
        assert server.cut("full") == 1


def test_responses_that_wait_are_bounded_in_bytes(tmp_path: Path) -> None:
    with running(tmp_path, HTTP_SEND_BUFFER_BYTES=str(LARGE), WEB_CONCURRENCY="1") as server, ExitStack() as stop:
        clients = [stop.enter_context(RawSocket(server.port, receive_buffer=4096)) for _ in range(20)]
        for client in clients:
            client.request(f"/large?{LARGE}")
        eventually(lambda: server.cut("full") >= 2, 60, "the slowest readers are cut off")
        client = clients[-1]
        client.request("/large?1", "Connection: close")
        assert client.rest().count(b"x" * 1000) == LARGE // 1000, "the newest response has room"
