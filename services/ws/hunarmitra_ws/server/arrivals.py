"""TCP connections of the public port, and the limits for those whose client has not shown a valid token yet.

Such a connection costs an open file and some memory, whether its client sends nothing, half a request or a wrong
token. At a limit, the oldest of them gives way: an honest client shows its token at once, so it is never the oldest
for long. A connection is left alone for its first second, unless the process has no open files left for others.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final

from hunarmitra_ws.metrics import metrics

logger = logging.getLogger(__name__)

UNDISTURBED: Final = 1.0
"""Seconds for which a new connection is closed only where open files are short. A whole crowd may arrive at once."""

LOG_SECONDS: Final = 60.0
"""Between two log lines."""

Connection = Any
"""A key for a TCP connection: its transport."""

_TEXTS: Final = {
    "late": "sent no complete request in WS_HANDSHAKE_TIMEOUT",
    "address": "made room at WS_UNAUTHENTICATED_PER_ADDRESS",
    "full": "made room at WS_UNAUTHENTICATED_CONNECTIONS",
}


class Arrivals:
    """Counts the open TCP connections. ``most_unauthenticated`` and ``per_address`` limit those without a token.

    ``places`` is the limit of connections with a valid token, which the admission enforces. All together are at most
    ``places`` and ``most_unauthenticated``. ``clock`` returns seconds. ``close`` drops a connection, whose end
    :meth:`remove` reports.

    An address is the text that limits count by. The empty text stands for a proxy: behind it, the client's address is
    known when the request has arrived, and until then only the other limits hold.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        close: Callable[[Connection], None],
        *,
        places: int,
        most_unauthenticated: int,
        per_address: int,
    ) -> None:
        self._clock = clock
        self._close = close
        self._most = most_unauthenticated
        self._per_address = per_address
        self._most_open = places + most_unauthenticated
        self._open: set[Connection] = set()
        # Both in the order of arrival.
        self._unauthenticated: dict[Connection, tuple[float, str]] = {}
        self._by_address: dict[str, dict[Connection, None]] = {}
        # Those with a valid token that the server closes: they have no place any more.
        self._closing: dict[Connection, None] = {}
        self._unlogged: Counter[str] = Counter()
        self._log_at = float("-inf")

    @property
    def unauthenticated(self) -> int:
        return len(self._unauthenticated)

    def add(self, connection: Connection, address: str) -> None:
        """Count a new TCP connection; close older ones at a limit."""
        self._open.add(connection)
        self._unauthenticated[connection] = (self._clock(), address)
        self._put(connection, address)
        self._close_old(self._unauthenticated, self._most, "full")
        if len(self._open) > self._most_open:
            for oldest in list(islice(self._closing or self._unauthenticated, 1)):
                self._cut(oldest, "full")

    def address_known(self, connection: Connection, address: str) -> None:
        """Count the connection for its client's address from now on, instead of the proxy's."""
        if connection in self._unauthenticated:
            since, before = self._unauthenticated[connection]
            if before != address:
                self._take(connection, before)
                self._unauthenticated[connection] = (since, address)
                self._put(connection, address)

    def authenticated(self, connection: Connection) -> None:
        """The client has shown a valid token: the limits for others no longer concern it."""
        found = self._unauthenticated.pop(connection, None)
        if found is not None:
            self._take(connection, found[1])

    def closing(self, connection: Connection) -> None:
        """The server closes the connection, which gives up its place and waits for the client."""
        if connection in self._open and connection not in self._unauthenticated:
            self._closing[connection] = None

    def late(self, connection: Connection) -> None:
        """Close a connection whose request is not complete at the deadline."""
        self._cut(connection, "late")

    def remove(self, connection: Connection) -> None:
        """Forget a TCP connection that has ended."""
        self._open.discard(connection)
        self._closing.pop(connection, None)
        self.authenticated(connection)

    def _put(self, connection: Connection, address: str) -> None:
        if address:
            of_address = self._by_address.setdefault(address, {})
            of_address[connection] = None
            self._close_old(of_address, self._per_address, "address")

    def _take(self, connection: Connection, address: str) -> None:
        of_address = self._by_address.get(address)
        if of_address is not None:
            of_address.pop(connection, None)
            if not of_address:
                del self._by_address[address]

    def _close_old(self, connections: Mapping[Connection, object], limit: int, reason: str) -> None:
        """Close the oldest connection above the limit; two, so that a crowd that was left alone at first shrinks."""
        if len(connections) <= limit:
            return
        now = self._clock()
        for connection in list(islice(connections, min(2, len(connections) - limit))):
            if now - self._unauthenticated[connection][0] >= UNDISTURBED:
                self._cut(connection, reason)

    def _cut(self, connection: Connection, reason: str) -> None:
        since = self._unauthenticated.get(connection, (0.0, ""))
        self._closing.pop(connection, None)
        self.authenticated(connection)
        self._close(connection)
        metrics.connections_cut.inc(reason)
        self._unlogged[reason] += 1
        self._log(since[1])

    def _log(self, address: str) -> None:
        now = self._clock()
        if now < self._log_at:
            return
        self._log_at = now + LOG_SECONDS
        counts, self._unlogged = self._unlogged, Counter()
        logger.warning(
            "unauthenticated clients: %d connections closed: %s; the last from %s",
            counts.total(),
            ", ".join(f"{count} {_TEXTS[reason]}" for reason, count in counts.items()),
            address or "a trusted proxy",
        )
