"""Who may come in: not while the process ends, not above the cap, and not all at once.

When a whole fleet returns (an ingress restarted, a zone came back), accepting everybody costs each of them the
database's and the processor's attention at the same moment. A token bucket lets them in at a steady rate and tells
the others when to come back.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from hunarmitra_ws.client_messages import TokenBucket
from hunarmitra_ws.hub.disconnects import FULL, Disconnect, reconnect
from hunarmitra_ws.server.drain import Drain

LONGEST_WAIT: Final = 30.0
"""Seconds after which a rejected client reconnects at the latest, whatever the crowd before it."""


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
        self._random = random.Random()  # noqa: S311 - spreads load, guards nothing
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
        return reconnect(self._after_ms(now))

    def _after_ms(self, now: float) -> int:
        """Each client gets a time behind those before it. Beyond the longest, times are spread at random."""
        self._turned_away_until = max(self._turned_away_until, now) + 1 / self._per_second
        wait = self._turned_away_until - now
        if wait > LONGEST_WAIT:
            self._turned_away_until = now + LONGEST_WAIT
            wait = self._random.uniform(LONGEST_WAIT / 2, LONGEST_WAIT)
        return min(int(LONGEST_WAIT * 1000), int(wait * 1000) + self._drain.after_ms())

    def read_slot(self) -> AbstractAsyncContextManager[None]:
        return self._replays
