"""Admission of new connections: reject them while the process ends, above the cap, and above the rate.

After an outage (an ingress restarted, a zone recovered) all clients reconnect at once. Accepting all of them would
overload the database and the processor. A token bucket accepts them at a steady rate. A rejected client is sent the
time after which it should reconnect.
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
"""The longest time in seconds that a rejected client is told to wait before it reconnects."""


class Admission:
    """Decides whether a new connection is accepted, and limits concurrent replays.

    ``count`` returns the current number of connections, ``cap`` is its limit. ``per_second`` and ``burst`` limit the
    rate of new connections. ``clock`` returns seconds.
    """

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
        self._rejected_until = 0.0
        self._random = random.Random()  # noqa: S311 - spreads load, guards nothing
        self._replays = asyncio.Semaphore(concurrent_replays)

    def rejection(self) -> Disconnect | None:
        """Return the reason to reject a new connection, or None. ``count`` already includes this connection."""
        if self._drain.rejects:
            return reconnect(self._drain.after_ms())
        self._drain.accepted()
        if self._count() > self._cap:
            return FULL
        now = self._clock()
        if self._bucket.take(now):
            return None
        return reconnect(self._after_ms(now))

    def withdraw(self) -> None:
        """Take back an admission: the client had no valid ticket, so it must not slow down others."""
        self._bucket.give_back()

    def _after_ms(self, now: float) -> int:
        """Return the milliseconds that a rejected client waits: longer than clients that were rejected before it.

        Above :data:`LONGEST_WAIT` the delay is random.
        """
        self._rejected_until = max(self._rejected_until, now) + 1 / self._per_second
        wait = self._rejected_until - now
        if wait > LONGEST_WAIT:
            self._rejected_until = now + LONGEST_WAIT
            wait = self._random.uniform(LONGEST_WAIT / 2, LONGEST_WAIT)
        return min(int(LONGEST_WAIT * 1000), int(wait * 1000) + self._drain.after_ms())

    def read_slot(self) -> AbstractAsyncContextManager[None]:
        """Return the semaphore that limits concurrent replays."""
        return self._replays
