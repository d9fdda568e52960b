"""Open connections share a parser: none gets a byte of another, wherever its bytes are divided."""

from __future__ import annotations

import asyncio
import gc
import weakref

from websockets.server import ServerProtocol as Parser

from hunarmitra_ws.server.inbox import Inbox
from hunarmitra_ws.server.protocol import ServerProtocol
from tests.support.raw_sockets import CONTINUATION, MASK, PING, TEXT, frame
from tests.unit.ws.fakes import REQUEST, FakeServer, FakeTransport

LONG = b"x" * 300
PADDED = bytes((0x80 + TEXT, 0x80 + 126, 0, 3)) + MASK + b"pad"
"""A frame whose length is written in more bytes than it needs."""

STREAM = b"".join(
    (
        frame(TEXT, b"one"),
        frame(PING, b"?"),
        frame(TEXT, b"t", final=False),
        frame(PING),
        frame(CONTINUATION, b"wo"),
        bytes((0x80 + TEXT, 0x80 + 126)) + len(LONG).to_bytes(2, "big") + MASK + LONG,
    )
)
MESSAGES = ["one", "two", LONG.decode()]


def connection(server: FakeServer) -> ServerProtocol:
    """Return an open connection."""
    made = ServerProtocol(server)  # type: ignore[arg-type]
    made.transport = FakeTransport()
    made._inbox = Inbox()
    return made


def parser_of(connection: ServerProtocol) -> Parser | None:
    return connection._parser


def accepts_frames(connection: ServerProtocol) -> bool:
    return connection.accepts_frames


def messages(of: ServerProtocol) -> list[str]:
    assert of._inbox is not None
    return [event["text"] for event in of._inbox._events if event["type"] == "websocket.receive"]


def test_no_connection_gets_a_byte_of_another() -> None:
    stream, expected = STREAM + PADDED + frame(TEXT, b"end"), [*MESSAGES, "pad", "end"]
    for cut in range(len(stream) + 1):
        server = FakeServer()
        first, second = connection(server), connection(server)
        first.dataReceived(stream[:cut])
        second.dataReceived(stream)
        first.dataReceived(stream[cut:])
        assert messages(first) == expected, cut
        assert messages(second) == expected, cut


def test_a_connection_keeps_a_parser_only_within_a_message() -> None:
    server = FakeServer()
    shared = connection(server)
    shared.dataReceived(STREAM)
    assert parser_of(shared) is None
    parser = server.parsers._spare
    assert parser is not None
    shared.dataReceived(STREAM[:1])
    assert parser_of(shared) is parser
    shared.dataReceived(STREAM[1:])
    assert parser_of(shared) is None
    assert server.parsers._spare is parser


def test_one_parser_is_kept_for_the_next_connection() -> None:
    server = FakeServer()
    first, second = connection(server), connection(server)
    first.dataReceived(STREAM[:1])
    second.dataReceived(STREAM)
    kept, other = server.parsers._spare, weakref.ref(parser_of(first))
    gc.disable()
    try:
        first.dataReceived(STREAM[1:])
        assert server.parsers._spare is kept
        assert other() is None
    finally:
        gc.enable()


def test_a_connection_that_closes_keeps_its_parser() -> None:
    server = FakeServer()
    closing, other = connection(server), connection(server)
    closing.send_close(4001)
    closing.dataReceived(frame(TEXT, b"late"))
    assert parser_of(closing) is not None
    other.dataReceived(STREAM)
    assert other.accepts_frames
    assert not closing.accepts_frames
    assert messages(other) == MESSAGES
    assert messages(closing) == []


def test_an_open_connection_keeps_no_request() -> None:
    """The request has the token."""
    server = FakeServer()
    opened = ServerProtocol(server)  # type: ignore[arg-type]
    opened.transport = FakeTransport()
    gc.disable()
    try:
        opened.dataReceived(REQUEST)
        assert server.requests[0]() is not None
        assert not accepts_frames(opened)
        asyncio.run(opened.reply({"type": "websocket.accept"}))
        assert server.requests[0]() is None
    finally:
        gc.enable()
    assert opened.transport.written.startswith(b"HTTP/1.1 101")
    opened.dataReceived(STREAM)
    assert accepts_frames(opened)
    assert messages(opened) == MESSAGES
