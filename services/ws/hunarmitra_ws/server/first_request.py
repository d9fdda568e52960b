"""The first request of a TCP connection: an upgrade goes to a WebSocket connection, anything else to Twisted's HTTP.

Twisted's HTTP channel and daphne's request cost several times the handshake itself, and a request whose header never
ends would be held without a limit. So the header is collected here, with a limit of bytes and a deadline.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from hunarmitra.common.early_answers import early_answer
from hunarmitra_ws.server import twisted_adapter
from hunarmitra_ws.server.arrivals import Arrivals

MOST_HEADER_BYTES: Final = 16384
"""The limit of Twisted's HTTP channel too."""

END: Final = b"\r\n\r\n"
BAD_REQUEST: Final = early_answer("400 Bad Request")
_UPGRADE: Final = re.compile(rb"\r\nupgrade[ \t]*:[ \t]*websocket[ \t]*\r\n", re.IGNORECASE)


class FirstRequest(Protocol):
    """Collects the header of the first request, then hands the TCP connection over.

    ``arrivals`` counts the connection, and ``address`` is what it counts for. ``upgraded`` makes the protocol of a
    WebSocket connection; ``in_turn`` decides when, because a crowd sends its requests at once. ``http`` makes that of
    other requests; it is None in a process without REST, which answers them 404. ``deadline`` is in seconds.
    """

    transport: Any

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        arrivals: Arrivals,
        address: str,
        *,
        upgraded: Callable[[], Protocol],
        in_turn: Callable[[Callable[[], None]], None],
        http: Callable[[], Protocol] | None,
        deadline: float,
    ) -> None:
        self._loop = loop
        self._arrivals = arrivals
        self._address = address
        self._upgraded = upgraded
        self._in_turn = in_turn
        self._http = http
        self._deadline = deadline
        self._received = b""
        self._answered = self._waits = self._lost = False
        self._expiry: asyncio.TimerHandle | None = None

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        self._expiry = self._loop.call_later(self._deadline, self._arrivals.late, self.transport)
        self._arrivals.add(self.transport, self._address)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        if self._answered:
            return
        if self._waits:
            self._received += data
            self.transport.pauseProducing()
            return
        # A client may send an empty line before a request (RFC 9112, section 2.2).
        self._received = (self._received + data).lstrip(b"\r\n")
        end = self._received.find(END)
        if end < 0 and len(self._received) <= MOST_HEADER_BYTES:
            return
        if end >= 0 and _UPGRADE.search(self._received, 0, end + 2):
            self._waits = True
            self._cancel()
            self._in_turn(self._upgrade)
        elif self._http is not None:
            # Twisted also answers a header that is too long.
            http = self._http()
            twisted_adapter.call_when_lost(http, partial(self._arrivals.remove, self.transport))
            self._hand_over(http)
        else:
            self._answer("404 Not Found" if end >= 0 else "431 Request Header Fields Too Large")

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: N802 - Twisted's name
        self._lost = True
        self._cancel()
        self._arrivals.remove(self.transport)

    def _cancel(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def _upgrade(self) -> None:
        if not self._lost:
            self.transport.resumeProducing()
            self._hand_over(self._upgraded())

    def _hand_over(self, protocol: Protocol) -> None:
        self._cancel()
        received, self._received = self._received, b""
        twisted_adapter.replace_protocol(self.transport, protocol)
        protocol.makeConnection(self.transport)
        protocol.dataReceived(received)

    def _answer(self, status: str) -> None:
        self._answered = True
        self._cancel()
        self._received = b""
        twisted_adapter.answer_and_close(self.transport, early_answer(status))
