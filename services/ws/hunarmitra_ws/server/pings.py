"""Find dead connections: ping the silent ones, and drop those that do not answer.

Each connection is in the bucket of the second in which it is checked next, and each second checks one bucket only.
Stock daphne checks all connections every two seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Connection(Protocol):
    """A connection that is pinged.

    ``heard_at`` and ``pinged_at`` are the event loop's times of the last frame and of the last ping, 0 before the
    first. ``due_second`` is the bucket of the connection.
    """

    heard_at: float
    pinged_at: float
    due_second: int

    def progressed(self) -> bool:
        """Return whether the client read bytes since the last call, while the server does not read from the client."""
        ...

    def ping(self) -> None: ...

    def drop(self) -> None: ...


class Pings:
    """Pings silent connections. ``interval``: seconds of silence before a ping; ``timeout``: seconds for the answer."""

    def __init__(self, clock: Callable[[], float], *, interval: float, timeout: float) -> None:
        self._clock = clock
        self._interval = interval
        self._timeout = timeout
        self._buckets: dict[int, dict[Connection, None]] = {}
        self._checked_second = int(clock())

    def add(self, connection: Connection) -> None:
        self._schedule(connection, self._interval)

    def remove(self, connection: Connection) -> None:
        bucket = self._buckets.get(connection.due_second)
        if bucket is not None:
            bucket.pop(connection, None)
            if not bucket:
                del self._buckets[connection.due_second]

    def check_due(self) -> None:
        """Check the connections that are due; called about once a second."""
        now = self._clock()
        while self._checked_second < int(now):
            self._checked_second += 1
            for connection in self._buckets.pop(self._checked_second, ()):
                self._check(connection, now)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.check_due()

    def _check(self, connection: Connection, now: float) -> None:
        if connection.progressed():
            connection.heard_at = now
        silent = now - connection.heard_at
        if silent < self._interval:
            self._schedule(connection, self._interval - silent)
        elif connection.heard_at >= connection.pinged_at:
            connection.pinged_at = now
            connection.ping()
            self._schedule(connection, self._timeout)
        else:
            connection.drop()

    def _schedule(self, connection: Connection, seconds: float) -> None:
        connection.due_second = max(int(self._clock() + seconds), self._checked_second) + 1
        self._buckets.setdefault(connection.due_second, {})[connection] = None
