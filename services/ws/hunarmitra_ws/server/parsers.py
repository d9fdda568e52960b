"""Parsers of `websockets`: one for each handshake, and one that the open connections share.

Between two messages, the parser of an open connection holds nothing of it: no bytes, no frame, no fragment. So such a
connection keeps no parser, which would need 1.4 KB. It takes one for the bytes that arrive, and returns it after them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from websockets.frames import Frame
from websockets.protocol import OPEN
from websockets.server import ServerProtocol as Parser

from hunarmitra_ws.server import websockets_adapter

# At DEBUG the parser would log requests with their tokens; at INFO it logs a line for each connection. The
# configuration of logging resets the level of a logger that `getLogger` returns.
_logger: Final = logging.Logger(__name__, logging.WARNING)  # noqa: LOG001
_logger.parent = logging.getLogger("hunarmitra_ws.server")

PARSED_AT_ONCE: Final = 256
"""Bytes that are parsed before their frames are counted: at most 42 empty frames."""

INVALID_DATA: Final = 1007
"""The close code for a text message that is not UTF-8."""

UNCLEAN: Final = 1006
"""The code of a connection that ended without a close frame."""

HEADER_AND_MASK: Final = 6
"""Bytes of a client's frame beside its payload, if that is short."""


class Parsers:
    """Makes parsers, and keeps one for the next connection that needs it. ``max_size`` of a message is in bytes."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._spare: Parser | None = None

    def for_handshake(self) -> Parser:
        return Parser(max_size=self._max_size, logger=_logger)

    def take(self) -> Parser:
        """Return a parser for an open connection that is between two messages."""
        parser, self._spare = self._spare, None
        return Parser(state=OPEN, max_size=self._max_size, logger=_logger) if parser is None else parser

    def give_back(self, parser: Parser) -> None:
        """Take back a parser that is between two messages, open, and has nothing to send."""
        if self._spare is None:
            self._spare = parser
        else:
            websockets_adapter.release(parser)


def parts_of(data: bytes) -> Iterable[bytes]:
    """Divide received bytes into parts of at most :data:`PARSED_AT_ONCE`."""
    return (data[start : start + PARSED_AT_ONCE] for start in range(0, len(data), PARSED_AT_ONCE))


def least_bytes(frame: Frame) -> int:
    """Return how many bytes a client's frame has at least: its length may be written in more bytes than it needs.

    So bytes that were received, less those of their frames, are 0 only if no part of a frame is left.
    """
    length = len(frame.data)
    if length < 126:
        return HEADER_AND_MASK + length
    return HEADER_AND_MASK + length + (2 if length < 1 << 16 else 8)


def close_code(parser: Parser | None) -> int:
    """Return the code of the side that closed first. A parser that was given back has seen no close frame."""
    if parser is None:
        return UNCLEAN
    if parser.close_sent is None:
        return UNCLEAN if parser.close_rcvd is None else parser.close_rcvd.code
    first = parser.close_rcvd if parser.close_rcvd_then_sent else parser.close_sent
    return parser.close_sent.code if first is None else first.code
