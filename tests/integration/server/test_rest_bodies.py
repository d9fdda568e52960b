"""REST from our own server, and its internal ports: a body ends at its limit while it arrives, and has a deadline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.server.conftest import TOKEN
from tests.support.metrics import Scrape
from tests.support.raw_sockets import RawSocket
from tests.support.services import OwnServer
from tests.support.stack import base_environment, fresh_sqlite

PATH = "/api/v1/auth/token/"
JSON = "Content-Type: application/json"
LIMIT = 65536
PIECE = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
"""A chunk of 64 KiB."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    directory = tmp_path_factory.mktemp("bodies")
    token_file = directory / "control-token"
    token_file.write_text(TOKEN)
    environment = base_environment(
        DATABASE_URL=fresh_sqlite(directory),
        SERVICES="http,ws",
        HTTP_HEADER_TIMEOUT="1",
        HTTP_BODY_TIMEOUT="1",
        WS_CONTROL_TOKEN_FILE=str(token_file),
        WS_CONTROL_HOST="127.0.0.1",
    )
    with OwnServer(directory, environment) as running:
        yield running


@pytest.fixture
def client(server: OwnServer) -> Iterator[RawSocket]:
    with RawSocket(server.port) as connected:
        yield connected


def open_files(server: OwnServer) -> list[str]:
    """Files without a name that the server keeps bodies in."""
    links = [link.readlink() for link in Path(f"/proc/{server.pid}/fd").iterdir() if link.is_symlink()]
    return [str(link) for link in links if str(link).endswith("(deleted)")]


def test_a_body_far_over_the_limit_is_answered_before_it_is_sent(client: RawSocket) -> None:
    client.request(PATH, JSON, "Content-Length: 400000000", method="POST")
    header, body = client.header(), client.rest()
    assert header.split()[1] == "413"
    assert b'"too_large"' in body


def counted(server: OwnServer) -> dict[str, float]:
    """Requests without a route by method, and answers with 413."""
    scraped = Scrape(f"{server.admin_url}/metrics")
    labels = {"route": "unmatched", "status": "4xx"}
    by_method = {
        method: scraped("hunarmitra_http_requests_total", method=method, **labels)
        for method in ("GET", "POST", "other")
    }
    return by_method | {"413": scraped("hunarmitra_http_responses_total", code="413")}


def test_answers_before_the_application_are_counted(server: OwnServer) -> None:
    before = counted(server)
    for method in ("POST", "PUT", "HEAD"):
        with RawSocket(server.port) as client:
            client.request(PATH, JSON, "Content-Length: 400000000", method=method)
            assert client.header().split()[1] == "413"
    with RawSocket(server.port) as client:
        client.request(PATH, JSON, "Transfer-Encoding: chunked", method="POST")
        for _ in range(100):
            client.send(PIECE)
        assert client.header().split()[1] == "413"
    with RawSocket(int(server.admin_url.rpartition(":")[2])) as client:
        client.request("/livez", "Content-Length: 400000000", method="POST")
        assert client.header().split()[1] == "413"
    after = counted(server)
    assert {name: after[name] - before[name] for name in after} == {"GET": 1, "POST": 2, "other": 1, "413": 4}


@pytest.mark.parametrize("port", ["public", "admin", "control"])
def test_a_body_over_the_limit_is_answered_without_100_continue(server: OwnServer, port: str) -> None:
    url = {"public": server.url, "admin": server.admin_url, "control": server.control_url}[port]
    limit = LIMIT if port == "public" else 4096
    with RawSocket(int(url.rpartition(":")[2])) as client:
        headers = (JSON, f"Content-Length: {limit + 1}", "Expect: 100-continue", "X-Request-ID: an-id")
        client.request(PATH, *headers, method="POST")
        header, body = client.header(), client.rest()
    assert header.split()[1] == "413"
    assert "X-Request-ID: an-id" in header.split("\r\n")
    assert json.loads(body) == {"detail": f"The body is over {limit} bytes.", "code": "too_large"}


def test_a_body_without_an_end_is_neither_kept_nor_received(server: OwnServer, client: RawSocket) -> None:
    client.request(PATH, JSON, "Transfer-Encoding: chunked", method="POST")
    for _ in range(100):
        client.send(PIECE)
    assert open_files(server) == []
    assert client.header().split()[1] == "413"


@pytest.mark.parametrize("size", [LIMIT + 1, 1_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_a_little_over_the_limit_gets_the_applications_answer(
    client: RawSocket, size: int, chunked: bool
) -> None:
    if chunked:
        client.request(PATH, JSON, "Transfer-Encoding: chunked", "Connection: close", method="POST")
        client.send(b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"x" * size))
    else:
        client.request(PATH, JSON, f"Content-Length: {size}", "Connection: close", method="POST")
        client.send(b"x" * size)
    header, body = client.header(), client.rest()
    assert header.split()[1] == "413"
    assert "x-request-id" in header.lower()
    assert b'"too_large"' in body


def test_a_body_that_stops_is_408_and_others_are_not_disturbed(server: OwnServer, client: RawSocket) -> None:
    def sign_in() -> str:
        body = b'{"username": "nobody", "password": "%s"}' % (b"x" * 100)
        client.request(PATH, JSON, f"Content-Length: {len(body)}", method="POST")
        client.send(body)
        header = client.header()
        client.take(int(header.lower().partition("content-length: ")[2].split()[0]))
        return header.split()[1]

    assert sign_in() == "401"
    with RawSocket(server.port) as slow:
        slow.request(PATH, JSON, "Content-Length: 60", method="POST")
        slow.send(b"{")
        assert slow.header().split()[1] == "408"
        assert b'"request_timeout"' in slow.rest()
    assert sign_in() == "401", "the deadline of the first request is over, and so is the request"


def test_a_header_that_stops_ends_the_connection(client: RawSocket) -> None:
    client.send(b"POST /api/v1/auth/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    assert client.rest() == b""


@pytest.mark.parametrize("port", ["admin", "control"])
@pytest.mark.parametrize("length", ["Content-Length: 400000000", "Transfer-Encoding: chunked"])
def test_a_long_body_ends_on_the_internal_ports_too(server: OwnServer, port: str, length: str) -> None:
    url, path = (server.admin_url, "/livez") if port == "admin" else (server.control_url, "/drain")
    with RawSocket(int(url.rpartition(":")[2])) as client:
        client.request(path, length, f"Authorization: Bearer {TOKEN}", method="POST")
        if "chunked" in length:
            for _ in range(10):
                client.send(PIECE)
        header, body = client.header(), client.rest()
        assert header.split()[1] == "413"
        assert b'"too_large"' in body
        assert open_files(server) == []


@pytest.mark.slow
def test_a_body_that_stops_on_the_control_port_is_408(server: OwnServer) -> None:
    with RawSocket(int(server.control_url.rpartition(":")[2])) as client:
        client.request("/drain", "Content-Length: 60", f"Authorization: Bearer {TOKEN}", method="POST")
        client.send(b"{")
        assert client.header().split()[1] == "408"
