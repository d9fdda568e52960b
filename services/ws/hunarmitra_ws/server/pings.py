"""Finds dead peers: pings those that are silent and drops those that do not answer, without walking everybody.

Every connection stands in one bucket, that of the second in which it is looked at next; each second only that
bucket is looked at. Stock daphne walks all connections every two seconds, and autobahn adds timers of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Peer(Protocol):
    """``heard_at`` is the loop's time of the last bytes; ``pinged_at`` that of the last ping, 0 before the
    first; ``look_at`` the bucket it stands in."""

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
        self._buckets: dict[int, dict[Peer, None]] = {}
        self._looked_at = int(clock())

    def add(self, peer: Peer) -> None:
        self._look_again(peer, self._interval)

    def remove(self, peer: Peer) -> None:
        bucket = self._buckets.get(peer.look_at)
        if bucket is not None:
            bucket.pop(peer, None)
            if not bucket:
                del self._buckets[peer.look_at]

    def look(self) -> None:
        """Look at the connections that are due. Called about once a second."""
        now = self._clock()
        while self._looked_at < int(now):
            self._looked_at += 1
            for peer in self._buckets.pop(self._looked_at, ()):
                self._look_at(peer, now)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.look()

    def _look_at(self, peer: Peer, now: float) -> None:
        if peer.progressed():
            peer.heard_at = now
        silent = now - peer.heard_at
        if silent < self._interval:
            self._look_again(peer, self._interval - silent)
        elif peer.heard_at >= peer.pinged_at:
            peer.pinged_at = now
            peer.ping()
            self._look_again(peer, self._timeout)
        else:
            peer.drop()

    def _look_again(self, peer: Peer, seconds: float) -> None:
        peer.look_at = max(int(self._clock() + seconds), self._looked_at) + 1
        self._buckets.setdefault(peer.look_at, {})[peer] = None
