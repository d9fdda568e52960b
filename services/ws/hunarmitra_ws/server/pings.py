"""Find dead connections: ping the silent ones, and drop those that do not answer.

Each connection is in the bucket of the second in which it is checked next, and each second checks one bucket only.
Stock daphne checks all connections every two seconds, and autobahn adds more timers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Connection(Protocol):
    """A connection that is pinged.

    ``heard_at`` and ``pinged_at``: the loop's time of the last bytes and of the last ping (0 before the first).
    ``look_at``: the bucket of the connection.
    """

    heard_at: float
    pinged_at: float
    look_at: int

    def progressed(self) -> bool:
        """Whether the client has taken bytes since the last call, while reading from it was stopped."""
        ...

    def ping(self) -> None: ...

    def drop(self) -> None: ...


class Pings:
    """``interval``: seconds of silence before a ping; ``timeout``: seconds that the answer may take."""

    def __init__(self, clock: Callable[[], float], *, interval: float, timeout: float) -> None:
        self._clock = clock
        self._interval = interval
        self._timeout = timeout
        self._buckets: dict[int, dict[Connection, None]] = {}
        self._looked_at = int(clock())

    def add(self, connection: Connection) -> None:
        self._look_again(connection, self._interval)

    def remove(self, connection: Connection) -> None:
        bucket = self._buckets.get(connection.look_at)
        if bucket is not None:
            bucket.pop(connection, None)
            if not bucket:
                del self._buckets[connection.look_at]

    def look(self) -> None:
        """Look at the connections that are due. Called about once a second."""
        now = self._clock()
        while self._looked_at < int(now):
            self._looked_at += 1
            for connection in self._buckets.pop(self._looked_at, ()):
                self._look_at(connection, now)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.look()

    def _look_at(self, connection: Connection, now: float) -> None:
        if connection.progressed():
            connection.heard_at = now
        silent = now - connection.heard_at
        if silent < self._interval:
            self._look_again(connection, self._interval - silent)
        elif connection.heard_at >= connection.pinged_at:
            connection.pinged_at = now
            connection.ping()
            self._look_again(connection, self._timeout)
        else:
            connection.drop()

    def _look_again(self, connection: Connection, seconds: float) -> None:
        connection.look_at = max(int(self._clock() + seconds), self._looked_at) + 1
        self._buckets.setdefault(connection.look_at, {})[connection] = None
