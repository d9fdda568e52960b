"""A connection that the server has dropped: the rest of what its client sent is not parsed."""

from __future__ import annotations

from types import SimpleNamespace

from websockets.http11 import Request
from websockets.server import ServerProtocol as Parser

from hunarmitra_ws.server.bounds import MOST_FRAMES_AFTER_CLOSE
from hunarmitra_ws.server.inbox import Inbox
from hunarmitra_ws.server.parsers import Parsers
from hunarmitra_ws.server.protocol import ServerProtocol
from tests.support.raw_sockets import CONTINUATION, TEXT, UPGRADE, frame

REQUEST = "\r\n".join(("GET /ws/ HTTP/1.1", "Host: localhost", *UPGRADE, "", "")).encode()
READ_AT_ONCE = 65536
"""Bytes that Twisted reads at once: ten thousand empty frames, which cost 30 ms."""


class Transport:
    """Drops as Twisted's does: the protocol hears of it after the current read."""

    drops = 0
    reads = True

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        self.reads = False

    def abortConnection(self) -> None:  # noqa: N802 - Twisted's name
        self.drops += 1


def _closing() -> tuple[ServerProtocol, Transport]:
    """A connection that has sent a close frame, and its transport."""
    protocol = ServerProtocol(SimpleNamespace(parsers=Parsers(16384)))  # type: ignore[arg-type]
    transport = protocol.transport = Transport()
    protocol._inbox = Inbox()
    parser = protocol._parser = protocol.server.parsers.for_handshake()
    _close(parser)
    return protocol, transport


def test_after_the_limit_of_frames_the_rest_of_a_read_is_not_parsed() -> None:
    protocol, transport = _closing()
    flood = frame(TEXT, final=False) + frame(CONTINUATION, final=False) * (READ_AT_ONCE // 6 - 1)
    protocol.dataReceived(flood)
    assert transport.drops == 1
    assert protocol._after_close == MOST_FRAMES_AFTER_CLOSE + 1


def test_after_a_flood_nothing_more_is_read() -> None:
    protocol, transport = _closing()
    protocol.ignore()
    protocol.dataReceived(frame(TEXT, b"{}") * 10)
    assert protocol._after_close == 0
    assert not transport.reads


def _close(parser: Parser) -> None:
    """Accept the handshake and send a close frame."""
    parser.receive_data(REQUEST)
    (request,) = parser.events_received()
    assert isinstance(request, Request)
    parser.send_response(parser.accept(request))
    parser.send_close(4001)
    parser.data_to_send()
