"""Logs what goes wrong when it begins and when it is over, not with every turn that it lasts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

REPEAT_SECONDS = 300.0
"""A trouble that goes on is logged this often: whoever reads the last few minutes of the log finds it."""


@dataclass(slots=True)
class Trouble:
    """One kind of trouble. What it is may change meanwhile: what is new is logged at once."""

    logger: logging.Logger
    clock: Callable[[], float] = time.monotonic
    since: float | None = None
    times: int = 0
    _logged: dict[str, float] = field(default_factory=dict)

    def log(self, key: str, message: str) -> None:
        """It is there. `key` is what makes it the same as before; messages differ in figures and names."""
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

    def over(self, message: str) -> None:
        """It is not there; says so if it was."""
        if self.since is None:
            return
        lasted = self.clock() - self.since
        self.logger.info("%s after %.0f s and %d failures", message, lasted, self.times)
        self.since, self.times = None, 0
        self._logged.clear()
