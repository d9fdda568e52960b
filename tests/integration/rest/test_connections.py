"""What HTTP/1.1 lets a client do with one connection to the http service, whatever arrives in whatever pieces."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hunarmitra.common.response_headers import header_lines
from tests.integration.rest.test_slow_clients import Server, running
from tests.support.eventually import eventually
from tests.support.raw_sockets import RawSocket

HEAD = b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("connections"), HTTP_HEADER_TIMEOUT="60", HTTP_BODY_TIMEOUT="60") as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[RawSocket]:
    with RawSocket(server.port) as client:
        yield client


def body(client: RawSocket) -> bytes:
    """Header and body of a response with `Content-Length`; the body."""
    header = client.header().lower()
    assert header.startswith("http/1.1 200"), header
    length = int(header.partition("content-length: ")[2].split()[0])
    return client.take(length)


def test_a_connection_stays_open_for_the_next_request(client: RawSocket) -> None:
    for number in range(5):
        client.send(HEAD + b"Content-Length: 1\r\n\r\n%d" % number)
        assert body(client) == b"%d" % number


@pytest.mark.parametrize("pieces", [1, 7])
def test_requests_that_come_together_are_answered_in_order(client: RawSocket, pieces: int) -> None:
    text = b"".join(HEAD + b"Content-Length: %d\r\n\r\n" % number + b"x" * number for number in range(20))
    size = -(-len(text) // pieces)
    for start in range(0, len(text), size):
        client.send(text[start : start + size])
    assert [body(client) for _ in range(20)] == [b"x" * number for number in range(20)]


@pytest.mark.parametrize(
    "request_bytes",
    [
        HEAD + b"Content-Length: 11\r\n\r\nhello world",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=1\r\n world\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\nX-Trailer: 1\r\n\r\n",
        HEAD + b"content-length:11\r\nConnection: close\r\n\r\nhello world",
    ],
    ids=["length", "chunked", "trailers", "close"],
)
def test_a_request_may_come_byte_by_byte(client: RawSocket, request_bytes: bytes) -> None:
    for number in range(len(request_bytes)):
        client.send(request_bytes[number : number + 1])
    assert body(client) == b"hello world"


def test_a_client_that_asks_is_told_to_send_the_body(client: RawSocket) -> None:
    client.send(HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert client.header() == "HTTP/1.1 100 Continue"
    client.send(b"hello")
    assert body(client) == b"hello"


def test_a_body_over_the_limit_is_answered_before_it_is_sent(client: RawSocket) -> None:
    client.send(
        b"POST /api/v1/auth/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Expect: 100-continue\r\nContent-Length: 100000000000\r\n\r\n"
    )
    header = client.header()
    assert header.split()[1] == "413"
    assert "Connection: close" in header
    assert b'"too_large"' in client.rest()


def test_a_body_over_the_limit_takes_no_thread(tmp_path: Path) -> None:
    with running(tmp_path, WEB_CONCURRENCY="1", ALLOWED_ORIGINS="https://page.example") as server, ExitStack() as stop:
        holders = [stop.enter_context(RawSocket(server.port)) for _ in range(2)]
        for holder in holders:
            holder.request("/held")
        eventually(lambda: server.connections("serving") == 2, 60, "all threads are taken")
        with RawSocket(server.port) as client:
            headers = (
                "Content-Length: 65537",
                "Origin: https://page.example",
                "X-Request-ID: an-id",
                "User-Agent: some",
            )
            client.request("/api/v1/auth/token/?secret", *headers, method="POST")
            header, text = client.header(), client.rest()
        assert header.split()[1] == "413"
        assert json.loads(text) == {"detail": "The body is over 65536 bytes.", "code": "too_large"}
        lines = {"X-Request-ID: an-id", "Access-Control-Allow-Origin: https://page.example", *header_lines()}
        assert lines <= set(header.split("\r\n"))
        assert server.scrape()("hunarmitra_http_responses_total", code="413") == 1
        line = f'127.0.0.1 "POST /api/v1/auth/token/ HTTP/1.1" 413 {len(text)} 0ms "some"'
        eventually(lambda: line in server.process.log_text(), 60, "the access log has it")
        server.release()
        assert [body(holder) for holder in holders] == [b"held\n"] * 2


def test_a_body_over_the_limit_ends_in_the_middle(client: RawSocket) -> None:
    client.send(
        b"POST /api/v1/auth/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    client.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n10000\r\nx")
    assert client.header().split()[1] == "413"
    assert b'"too_large"' in client.rest()


def test_chunks_with_more_frame_than_content_are_413(client: RawSocket) -> None:
    client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    client.send((b"1;" + b"x" * 4000 + b"\r\nx\r\n") * 40)
    assert client.header().split()[1] == "413"


def test_a_header_that_is_too_long_is_431(client: RawSocket) -> None:
    client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    for number in range(10):
        client.send(b"X-%d: %s\r\n" % (number, b"x" * 4000))
    assert client.header().split()[1] == "431"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"GET / HTTP/1.1\n", "400"),
        (b"\xff\xfe\r\n\r\n", "400"),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "400"),
        (HEAD + b"Content-Length: -1\r\n\r\n", "400"),
        (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
        (HEAD + b"Transfer-Encoding: sparse\r\n\r\n", "501"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "414"),
    ],
)
def test_a_wrong_request_is_answered_at_once(client: RawSocket, text: bytes, status: str) -> None:
    client.send(text)
    assert client.header().split()[1] == status


def test_a_client_may_end_its_half_of_the_connection(client: RawSocket) -> None:
    client.send(HEAD + b"Content-Length: 5\r\n\r\nhello")
    client.end()
    assert client.rest().endswith(b"hello")


def test_a_running_request_is_finished_when_the_process_stops(tmp_path: Path) -> None:
    with running(tmp_path, WEB_CONCURRENCY="1") as server, RawSocket(server.port) as client:
        client.request("/held")
        eventually(lambda: server.connections("serving") == 1, 60, "the request runs")
        server.process.signal(signal.SIGTERM)
        eventually(lambda: "Handling signal: term" in server.process.log_text(), 60, "it stops")
        server.release()
        assert body(client) == b"held\n"
        assert server.process.wait() == 0
