"""Who may come in: not while the process ends, not above the cap, and not all at once.

When a whole fleet returns (an ingress restarted, a zone came back), accepting everybody costs each of them the
database's and the processor's attention at the same moment. A token bucket lets them in at a steady rate and tells
the others when to come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from hunarmitra_ws.client_messages import TokenBucket
from hunarmitra_ws.hub.disconnects import FULL, Disconnect, reconnect
from hunarmitra_ws.server.drain import Drain


class Admission:
    """``cap``: most connections at once; ``per_second`` and ``burst``: how fast new ones may come."""

    def __init__(
        self,
        drain: Drain,
        count: Callable[[], int],
        clock: Callable[[], float],
        *,
        cap: int,
        per_second: float,
        burst: int,
        concurrent_replays: int,
    ) -> None:
        self._drain = drain
        self._count = count
        self._clock = clock
        self._cap = cap
        self._per_second = per_second
        self._bucket = TokenBucket(per_second, burst, clock())
        self._turned_away_until = 0.0
        self._replays = asyncio.Semaphore(concurrent_replays)

    def rejection(self) -> Disconnect | None:
        """For a connection that is counted already."""
        if self._drain.refuses:
            return reconnect(self._drain.after_ms())
        self._drain.arrived()
        if self._count() > self._cap:
            return FULL
        now = self._clock()
        if self._bucket.take(now):
            return None
        # Each one that is turned away gets a place of its own behind those before it.
        self._turned_away_until = max(self._turned_away_until, now) + 1 / self._per_second
        after_ms = int((self._turned_away_until - now) * 1000) + self._drain.after_ms()
        return reconnect(after_ms)

    def read_slot(self) -> AbstractAsyncContextManager[None]:
        return self._replays
