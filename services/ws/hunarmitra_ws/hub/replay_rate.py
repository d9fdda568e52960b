"""Limits how many events are replayed for one user: a client that resumes in a loop waits longer each time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Final
from uuid import UUID

MOST_USERS: Final = 10_000
"""The most users that are remembered. The one that resumed first is forgotten first."""

CHECK_SECONDS: Final = 0.5
"""Seconds between two looks whether the client has left."""


class ReplayRate:
    """``per_minute`` events of one user are replayed at once, and as many in each minute. ``clock`` returns seconds.

    A replay is never cut short: what exceeds the limit delays the user's next replays. At most ``most_waiting`` of them
    wait.
    """

    def __init__(self, per_minute: int, most_waiting: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds_per_event = 60 / per_minute
        self._most_waiting = most_waiting
        self._clock = clock
        # When the rate would have allowed all events that were replayed.
        self._paid_at: dict[UUID, float] = {}
        self._waiting: Counter[UUID] = Counter()

    def count(self, user: UUID, events: int) -> None:
        """Count replayed events."""
        if events <= 0:
            return
        now = self._clock()
        self._paid_at[user] = max(now, self._paid_at.pop(user, now)) + events * self._seconds_per_event
        if len(self._paid_at) > MOST_USERS:
            del self._paid_at[next(iter(self._paid_at))]

    def wait_seconds(self, user: UUID) -> float:
        """Return the seconds until the user's next replay."""
        return max(0.0, self._paid_at.get(user, 0.0) - self._clock() - 60)

    async def wait(self, user: UUID, has_ended: Callable[[], bool]) -> bool:
        """Wait until the user may replay again, or the client has left. Return False if too many wait already."""
        if not self.wait_seconds(user):
            return True
        if self._waiting[user] >= self._most_waiting:
            return False
        self._waiting[user] += 1
        try:
            while (seconds := self.wait_seconds(user)) and not has_ended():  # noqa: ASYNC110 - others count meanwhile
                await asyncio.sleep(min(seconds, CHECK_SECONDS))
        finally:
            self._waiting[user] -= 1
            if not self._waiting[user]:
                del self._waiting[user]
        return True
