"""Recent load of this process besides its connections: the event loop's delay, and deliveries a second.

The control port reports both, and a WebSocketScaler can scale by them. They are averages over about
:data:`AVERAGED_SECONDS`, because the operator asks only every few seconds and a single sample is noise.
"""

from __future__ import annotations

import math
from typing import Final

AVERAGED_SECONDS: Final = 15.0
"""Time constant of the averages: a change counts for two thirds after this time."""
OUTDATED_SECONDS: Final = 10.0
"""Age of the last sample after which nothing is reported."""


class RecentLoad:
    """Exponential averages of samples. Times are seconds of the event loop's clock."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._deliveries = 0
        self._delay = self._rate = 0.0

    def sample(self, now: float, delay: float, deliveries: int) -> None:
        """Take a sample: the event loop's delay in seconds, and the number of deliveries since the start."""
        if self._at is not None and now > self._at:
            elapsed = now - self._at
            weight = -math.expm1(-elapsed / AVERAGED_SECONDS)
            self._delay += weight * (delay - self._delay)
            self._rate += weight * ((deliveries - self._deliveries) / elapsed - self._rate)
        self._at, self._deliveries = now, deliveries

    def report(self, now: float) -> dict[str, float]:
        """Return the averages by name; nothing if the samples stopped.

        Without a client the process takes no samples, and has no load.
        """
        if self._at is not None and now - self._at > OUTDATED_SECONDS:
            return {}
        return {"event_loop_delay_ms": round(1000 * self._delay, 3), "deliveries_per_second": round(self._rate, 3)}
