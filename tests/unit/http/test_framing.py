"""When a request is complete: exactly when gunicorn's parser can read all of it from what has arrived."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from gunicorn.config import Config
from gunicorn.http import get_parser
from hypothesis import given
from hypothesis import strategies as st

from hunarmitra_http.server.framing import SPARE_BYTES, Incoming, Progress

HEADER_BYTES, BODY_BYTES = 2000, 500
HEAD = b"POST /x HTTP/1.1\r\nHost: h\r\n"
UNFINISHED = {Progress.HEADER, Progress.BODY}
CONFIGURATION = Config()


def progress_of(pieces: Iterable[bytes]) -> tuple[Progress, bytes]:
    """The first progress that ends the wait, or the last one; and what has arrived by then."""
    incoming = Incoming(HEADER_BYTES, BODY_BYTES)
    progress = Progress.HEADER
    for piece in pieces:
        progress = incoming.add(piece)
        if progress not in UNFINISHED:
            break
    return progress, incoming.take()


def cut(text: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[begin:end] for begin, end in pairwise(bounds) if begin < end]


def chunked(body: bytes, places: list[int]) -> bytes:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in cut(body, places))
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def with_length(body: bytes, _: list[int]) -> bytes:
    return HEAD + b"content-Length:  %d \r\n\r\n" % len(body) + body


@pytest.mark.parametrize("framed", [with_length, chunked])
@given(
    body=st.binary(max_size=BODY_BYTES),
    chunks=st.lists(st.integers(0, BODY_BYTES), max_size=5),
    places=st.lists(st.integers(0, 5000), max_size=8),
)
def test_a_request_is_complete_with_its_last_byte(
    framed: type, body: bytes, chunks: list[int], places: list[int]
) -> None:
    text = framed(body, chunks)
    assert progress_of(cut(text, places)) == (Progress.COMPLETE, text)
    [*parts, last] = cut(text, [len(text) - 1])
    incoming = Incoming(HEADER_BYTES, BODY_BYTES)
    assert {incoming.add(part) for part in parts} <= UNFINISHED
    assert incoming.add(last) is Progress.COMPLETE
    request = next(get_parser(CONFIGURATION, (text,), ("127.0.0.1", 1)))
    assert request.body.read() == body


@given(text=st.binary(max_size=300), places=st.lists(st.integers(0, 300), max_size=4))
def test_no_bytes_at_all_are_an_error(text: bytes, places: list[int]) -> None:
    for head in (b"", HEAD, HEAD + b"Content-Length: ", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"):
        progress, arrived = progress_of(cut(head + text, places))
        assert isinstance(progress, Progress)
        assert (head + text).startswith(arrived)


@pytest.mark.parametrize(
    "text",
    [
        b"GET / HTTP/1.1\n",
        b"\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
        HEAD + b"Content-Length: five\r\n\r\n",
        HEAD + b"Content-Length: 1" + b"0" * 30 + b"\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"5;" + b"x" * 9000,
    ],
)
def test_what_the_parser_rejects_is_not_waited_for(text: bytes) -> None:
    assert progress_of([text])[0] is Progress.COMPLETE


@pytest.mark.parametrize(
    ("text", "progress"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * HEADER_BYTES, Progress.HEADER_TOO_LONG),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * HEADER_BYTES + b"\r\n\r\n", Progress.HEADER_TOO_LONG),
        (HEAD + b"Content-Length: %d\r\n\r\n" % BODY_BYTES, Progress.BODY),
        (HEAD + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES + 1), Progress.BODY_TOO_LONG),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n" + b"x" * BODY_BYTES, Progress.BODY),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n" + b"x" * (BODY_BYTES + 1), Progress.BODY_TOO_LONG),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5", Progress.BODY),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: 1", Progress.BODY),
        (
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"1;" + b"x" * 4000 + b"\r\nx\r\n") * (SPARE_BYTES // 3000),
            Progress.BODY_TOO_LONG,
        ),
    ],
)
def test_limits(text: bytes, progress: Progress) -> None:
    assert progress_of([text])[0] is progress
    assert progress_of([text[:40], text[40:]])[0] is progress


def test_what_follows_a_request_is_kept() -> None:
    second = HEAD + b"\r\n"
    assert progress_of([HEAD + b"Content-Length: 1\r\n\r\nx" + second])[1].endswith(b"x" + second)


@pytest.mark.parametrize(("line", "expects"), [(b"Expect: 100-Continue\r\n", True), (b"", False)])
def test_a_client_that_waits_says_so(line: bytes, expects: bool) -> None:
    incoming = Incoming(HEADER_BYTES, BODY_BYTES)
    assert incoming.add(HEAD + line + b"Content-Length: 5\r\n\r\n") is Progress.BODY
    assert incoming.expects is expects
