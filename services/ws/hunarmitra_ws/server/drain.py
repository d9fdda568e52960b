"""Drain this process: move its connections to other processes, without losing an event.

SIGTERM starts a final drain. ``POST /drain`` starts a drain under a lease: the caller renews it, and without renewal
the drain ends. A drain has three steps. First, the process becomes not ready. Second, it waits until the endpoints no
longer contain this pod (the settle phase). Third, it disconnects each client at a random moment of the window, so that
reconnects are spread.

After the settle phase of a final drain, the process disconnects a new client at once. Under a lease there is more time.
There a new client shows that the endpoints still contain this pod, because the API server is down or an ingress is out
of date. If clients were moved now, they would come back: a proxy that prefers the fewest connections selects the
emptied pod. So the process serves the new client, starts the settle phase again, and moves no client before its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from hunarmitra_ws.supervisor import Supervisor

logger = logging.getLogger(__name__)

STEP: Final = 0.05
"""Seconds between two checks for connections that are due to be moved."""

AFTER_MS: Final = (100, 1000)
"""A moved client waits a random time from this range, in milliseconds, before it connects again."""

MOVE_TASK: Final = "drain"
LEASES_TASK: Final = "drain leases"
"""Names of the supervised tasks."""


class Connection(Protocol):
    """A connection that can be moved to another process."""

    def move_away(self, after_ms: int) -> None:
        """Send ``reconnect`` with a delay in milliseconds, then close with 4012."""
        ...


class State(StrEnum):
    SERVING = "serving"
    SETTLING = "settling"
    DRAINING = "draining"
    EMPTY = "empty"


@dataclass(frozen=True)
class DrainTimes:
    """Durations in seconds: ``settle`` for the endpoints to remove the pod, ``window`` for moving the connections."""

    settle: float
    window: float


class Drain:
    """The drain of one process. ``connections`` returns the open connections; times are those of the event loop."""

    def __init__(
        self,
        times: DrainTimes,
        connections: Callable[[], Collection[Connection]],
        *,
        supervisor: Supervisor | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._times = times
        self._connections = connections
        self._supervisor = supervisor or Supervisor()
        self._random = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._leases: dict[str, float] = {}
        self._terminating = False
        self._running = False
        self._empty = asyncio.Event()
        self._settle_until = 0.0
        self.state = State.SERVING
        self.moved = 0

    @property
    def requested(self) -> bool:
        """Whether a drain was requested, so that the process is not ready."""
        return self._terminating or bool(self._leases)

    @property
    def rejects(self) -> bool:
        """Whether new clients are rejected."""
        return self._terminating and self.state in {State.DRAINING, State.EMPTY}

    def accepted(self) -> None:
        """Start the settle phase of a leased drain again, because a new client was accepted.

        The new client shows that the endpoints still contain this pod. Without a drain, or in a final one, do nothing.
        """
        if self._running and not self._terminating:
            if self.state is not State.SETTLING:
                logger.warning("clients still connect to this draining pod: its endpoints are out of date")
            self._empty.clear()
            self._settle()

    @property
    def leases(self) -> Mapping[str, float]:
        """The remaining seconds of each lease."""
        now = asyncio.get_running_loop().time()
        return {name: max(0.0, until - now) for name, until in self._leases.items()}

    def lease(self, name: str, ttl_seconds: float) -> None:
        """Start a lease of ``ttl_seconds``, or renew the lease if it exists."""
        self._leases[name] = asyncio.get_running_loop().time() + ttl_seconds
        self._begin()
        if LEASES_TASK not in self._supervisor.tasks:
            self._supervisor.start(LEASES_TASK, self._watch_leases)

    def release(self, name: str | None = None) -> bool:
        """End one lease, or all; return False if there was none. Without leases the process serves again."""
        had = bool(self._leases) if name is None else name in self._leases
        if name is None:
            self._leases.clear()
        else:
            self._leases.pop(name, None)
        self._end_unless_requested()
        return had

    async def terminate(self, grace: float) -> None:
        """Drain finally. Return after the settle phase when no connection is left, or after ``grace`` seconds."""
        self._terminating = True
        self._begin()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), grace)

    def after_ms(self) -> int:
        """Return a random delay of a reconnect, in milliseconds."""
        return self._random.randint(*AFTER_MS)

    def rebalance(self, count: int, candidates: Collection[Connection]) -> int:
        """Move ``count`` randomly chosen candidates away now. Return how many connections were moved."""
        chosen = self._random.sample(list(candidates), min(count, len(candidates)))
        for connection in chosen:
            connection.move_away(self.after_ms())
        return len(chosen)

    def _begin(self) -> None:
        if not self._running:
            self._running = True
            self._settle()
            logger.info("draining %d connections", len(self._connections()))
            self._supervisor.start(MOVE_TASK, self._run)

    def _settle(self) -> None:
        self.state = State.SETTLING
        self._settle_until = asyncio.get_running_loop().time() + self._times.settle

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            wait = self._settle_until - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            else:
                self.state = State.DRAINING
                await self._move()

    async def _move(self) -> None:
        """Move every connection. Return when a new client has started the settle phase again."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        schedule = sorted(
            ((start + self._random.uniform(0, self._times.window), connection) for connection in self._connections()),
            key=lambda item: item[0],
            reverse=True,
        )
        while schedule:
            while schedule and schedule[-1][0] <= loop.time():
                schedule.pop()[1].move_away(self.after_ms())
                self.moved += 1
            await asyncio.sleep(STEP)
            if self.state is State.SETTLING:
                return
        # Move the connections that were opened after the schedule was made.
        while True:
            left = self._connections()
            self.state = State.DRAINING if left else State.EMPTY
            if not left:
                self._empty.set()
            for connection in left:
                connection.move_away(self.after_ms())
            await asyncio.sleep(max(STEP, self._times.window / 20))
            if self.state is State.SETTLING:
                return

    async def _watch_leases(self) -> None:
        """End the leases that were not renewed in time."""
        while True:
            now = asyncio.get_running_loop().time()
            for name in [name for name, until in self._leases.items() if until <= now]:
                logger.warning("the drain lease %s was not renewed in time and has ended", name)
                del self._leases[name]
            self._end_unless_requested()
            await asyncio.sleep(min(1.0, max(0.0, min(self._leases.values(), default=now + 1) - now)))

    def _end_unless_requested(self) -> None:
        if self.requested or not self._running:
            return
        self._supervisor.cancel(MOVE_TASK)
        self._running = False
        self._empty.clear()
        self.state = State.SERVING
        logger.info("the drain ended; serving again")
