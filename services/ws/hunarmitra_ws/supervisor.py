"""Keeps background tasks running: a task that ends is started again, and a task that cannot run is reported."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

logger = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0
"""Seconds before a restart; the pause doubles with each failure in a row."""

STABLE_AFTER: Final = 30.0
"""Seconds that a task must run until its earlier failures are forgotten."""

TOLERATED_FAILURES: Final = 3
"""Failures in a row after which a task counts as failing."""

Run = Callable[[], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class _Supervised:
    run: Run
    task: asyncio.Task[None]
    started_at: float
    once: bool
    failures: int = 0
    failing_since: float | None = None
    restart: asyncio.TimerHandle | None = None


class Supervisor:
    """Runs the background tasks of one event loop. Times are monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._supervised: dict[str, _Supervised] = {}
        self._stopping = False

    def start(self, name: str, run: Run, *, once: bool = False) -> None:
        """Run ``run()`` in a task, and again whenever that task ends; with ``once``, until it returns."""
        self._supervised[name] = _Supervised(run, self._task(name, run), self._clock(), once)

    @property
    def tasks(self) -> Mapping[str, asyncio.Task[None]]:
        """The current task of each name."""
        return {name: each.task for name, each in self._supervised.items()}

    def failing(self) -> dict[str, float]:
        """Return the failing tasks, each with the seconds since it fails."""
        now = self._clock()
        for each in self._supervised.values():
            if not each.task.done() and now - each.started_at >= STABLE_AFTER:
                each.failures, each.failing_since = 0, None
        return {
            name: now - each.failing_since for name, each in self._supervised.items() if each.failing_since is not None
        }

    def cancel(self, name: str) -> None:
        """Cancel the task ``name``, and do not start it again."""
        each = self._supervised.pop(name)
        if each.restart is not None:
            each.restart.cancel()
        each.task.cancel()

    async def stop(self) -> None:
        """Cancel every task and wait for it."""
        self._stopping = True
        tasks = [each.task for each in self._supervised.values()]
        for each in self._supervised.values():
            if each.restart is not None:
                each.restart.cancel()
            each.task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _task(self, name: str, run: Run) -> asyncio.Task[None]:
        task = asyncio.create_task(run(), name=name)
        task.add_done_callback(lambda ended: self._ended(name, ended))
        return task

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        each = self._supervised.get(name)
        if self._stopping or each is None or each.task is not task:
            return
        if each.once and not task.cancelled() and error is None:
            del self._supervised[name]
            return
        now = self._clock()
        if now - each.started_at >= STABLE_AFTER:
            each.failures, each.failing_since = 0, None
        each.failures += 1
        if each.failures > TOLERATED_FAILURES and each.failing_since is None:
            each.failing_since = now
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (each.failures - 1))
        logger.error("the background task %r ended; it starts again in %.1f s", name, pause, exc_info=error)
        each.restart = asyncio.get_running_loop().call_later(pause, self._restart, name)

    def _restart(self, name: str) -> None:
        each = self._supervised[name]
        each.restart = None
        each.started_at = self._clock()
        each.task = self._task(name, each.run)
