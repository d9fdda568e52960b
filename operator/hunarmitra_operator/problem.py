"""Logs a problem when it begins and when it is over, not with every turn."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

REPEAT_SECONDS = 300.0
"""A lasting problem is logged this often, so that the last few minutes of the log show it."""


@dataclass(slots=True)
class Problem:
    """One kind of problem. A new cause of the same problem is logged at once."""

    logger: logging.Logger
    clock: Callable[[], float] = time.monotonic
    since: float | None = None
    times: int = 0
    _logged: dict[str, float] = field(default_factory=dict)

    def log(self, key: str, message: str) -> None:
        """Log the problem. `key` identifies its cause; messages may differ in figures and names."""
        now = self.clock()
        if self.since is None:
            self.since = now
        self.times += 1
        last = self._logged.get(key)
        if last is not None and 0 <= now - last < REPEAT_SECONDS:
            return
        self._logged[key] = now
        if last is None:
            self.logger.warning("%s", message)
        else:
            self.logger.warning("%s (for %.0f s, %d times)", message, now - self.since, self.times)

    def resolved(self, message: str) -> None:
        """Log that the problem is over, if there was one."""
        if self.since is None:
            return
        lasted = self.clock() - self.since
        self.logger.info("%s after %.0f s and %d failures", message, lasted, self.times)
        self.since, self.times = None, 0
        self._logged.clear()
