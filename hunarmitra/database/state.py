"""What this process last found out about its database: whether a server accepts its writes, and if not, why.

Every connection that leaves the pool proves it, and every failed connect says why. So readiness and metrics need no
query of their own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import Final

from hunarmitra.telemetry import database as metrics

logger = logging.getLogger(__name__)


class Problem(Enum):
    """Why no write is possible. The values are those of the metric's label."""

    READ_ONLY = "read_only"
    NO_SLOT = "no_slot"
    UNREACHABLE = "unreachable"


MEANING: Final = {
    Problem.READ_ONLY: "read-only: no server of DATABASE_URL accepts writes",
    Problem.NO_SLOT: "too many connections: the server has no free slot",
    Problem.UNREACHABLE: "no server of DATABASE_URL can be reached",
}
"""Each problem as readiness and the log show it."""

_SIGNS: Final = (
    # libpq's own words, for target_session_attrs
    ("session is read-only", Problem.READ_ONLY),
    ("server is in hot standby mode", Problem.READ_ONLY),
    # the server's words: a failed connect carries no SQLSTATE 53300
    ("too many clients", Problem.NO_SLOT),
    ("too many connections", Problem.NO_SLOT),
    ("connection slots", Problem.NO_SLOT),
)


def problem_of_connect(text: str) -> Problem:
    """Return the problem from the driver's message about a failed connect to one or several servers."""
    return next((problem for sign, problem in _SIGNS if sign in text), Problem.UNREACHABLE)


class DatabaseState:
    """Shared by the threads of a process. A change is logged once and shown by the metric."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since = 0.0
        self.problem: Problem | None = None

    def found_writable(self) -> None:
        if self.problem is not None:
            self._change(None)

    def found(self, problem: Problem) -> None:
        if self.problem is not problem:
            self._change(problem)

    def meaning(self) -> str | None:
        """Return the problem in words, None while writes are possible."""
        problem = self.problem
        return None if problem is None else MEANING[problem]

    def _change(self, problem: Problem | None) -> None:
        with self._lock:
            before, self.problem = self.problem, problem
            if before is problem:
                return
            metrics.unwritable(None if problem is None else problem.value)
            if before is None:
                self._since = self._clock()
        if problem is None:
            logger.info("the database accepts writes again after %.1f s", self._clock() - self._since)
        else:
            logger.warning("the database takes no writes: %s; trying again until one does", MEANING[problem])


state: Final = DatabaseState()
"""This process's."""
