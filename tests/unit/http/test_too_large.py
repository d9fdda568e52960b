"""Answers to bodies over the limit: what the access log and the answer take of a header that no parser has judged."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunarmitra.common.addresses import parse_networks
from hunarmitra.telemetry.request_id import ENVIRON_REQUEST_ID
from hunarmitra_http.server.too_large import TooLargeAnswers

BODY = b'{"detail": "The body is over 500 bytes.", "code": "too_large"}'
PROXIES = parse_networks(["10.0.0.0/8"])


def answered(header: bytes, client: Any = ("10.0.0.1", 1)) -> tuple[list[str], Mapping[str, str]]:
    """The lines of the answer's header, and what the access log gets."""
    logged: list[Mapping[str, str]] = []

    def write(response: Any, request: Any, environ: Mapping[str, str], duration: timedelta) -> None:
        assert (response.status, response.sent, request) == ("413", len(BODY), None)
        logged.append(environ)

    answer = TooLargeAnswers(500, PROXIES, write)(header, client)
    [environ] = logged
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == BODY
    return head.decode().split("\r\n"), environ


def test_the_client_behind_a_proxy_is_logged_and_no_query() -> None:
    _, environ = answered(
        b"POST /a/b?token=x HTTP/1.1\r\nUser-Agent: some\r\nX-Forwarded-For: 192.0.2.1\r\n"
        b"x-forwarded-for: 192.0.2.2\r\nX-Request-ID: an-id\r\n\r\n"
    )
    names = ("REMOTE_ADDR", "REQUEST_METHOD", "PATH_INFO", "SERVER_PROTOCOL", "HTTP_USER_AGENT", ENVIRON_REQUEST_ID)
    assert [environ[name] for name in names] == ["192.0.2.2", "POST", "/a/b", "HTTP/1.1", "some", "an-id"]


@pytest.mark.parametrize(
    "line", [b"POST http://user:pass@h/ HTTP/1.1", b"x", b"POST /\x1b[1m HTTP/1.1", b"POST /\n HTTP/1.1"]
)
def test_a_request_line_that_is_not_well_formed_is_not_logged(line: bytes) -> None:
    _, environ = answered(line + b"\r\n\r\n", "")
    assert set(environ) == {ENVIRON_REQUEST_ID}


def test_a_page_of_an_unknown_origin_may_not_read_the_answer() -> None:
    lines, _ = answered(b"POST / HTTP/1.1\r\nOrigin: https://unknown.example\r\n\r\n")
    assert not [line for line in lines if line.startswith("Access-Control")]


@given(st.binary(max_size=200))
def test_no_header_is_an_error(text: bytes) -> None:
    lines, _ = answered(b"POST / HTTP/1.1\r\nX-Request-ID:" + text + b"\r\nOrigin:" + text + b"\r\n\r\n")
    assert lines[0] == "HTTP/1.1 413 Content Too Large"
    assert len([line for line in lines if line.startswith("X-Request-ID: ")]) == 1
