"""Adapter for `websockets`: release a parser that is used no more.

The rest of its interface that the server uses is documented
(https://websockets.readthedocs.io/en/stable/howto/sansio.html).
"""

from __future__ import annotations

from typing import Final

from websockets.server import ServerProtocol as Parser

from hunarmitra.common.private_names import Library, names_of

LIBRARY: Final = Library(
    "websockets",
    "17.4",
    (
        *names_of(
            "websockets.server:ServerProtocol",
            {
                "parser": "the generator that parses; its frame refers back to the parser",
                "parser_exc": "an exception; the frames of its traceback refer back to the parser",
            },
        ),
    ),
)


def release(parser: Parser) -> None:
    """Break the reference cycles of a parser that is used no more."""
    parser.parser.close()
    for failure in (parser.parser_exc, parser.handshake_exc):
        error: BaseException | None = failure
        while error is not None:
            error.__traceback__ = None
            error = error.__context__
