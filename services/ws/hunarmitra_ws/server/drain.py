"""Drain this process: move its connections to other processes, without losing an event.

SIGTERM starts a final drain. ``POST /drain`` starts a drain under a lease: the caller renews it, and without renewal
the drain ends. A drain has three steps. The process is not ready at once. It waits until the endpoints no longer
contain this pod. Then it disconnects each client at a random moment of the window, so that reconnects are spread.

After the wait, a process that ends disconnects a new client at once. Under a lease there is time, and a new client
shows that the endpoints still contain this pod (the API server may be down, or an ingress out of date). A moved client
would come straight back, because a proxy that prefers the fewest connections selects the emptied pod. So the process
serves the new client, and moves no client until none has arrived for another such wait.
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

logger = logging.getLogger(__name__)

STEP: Final = 0.05
"""Seconds between two rounds of moving connections away."""

AFTER_MS: Final = (100, 1000)
"""A moved client waits a random time from this range, in milliseconds, before it connects again."""


class Connection(Protocol):
    def move_away(self, after_ms: int) -> None:
        """Tell the client to reconnect, and close 4012."""
        ...


class State(StrEnum):
    SERVING = "serving"
    SETTLING = "settling"
    DRAINING = "draining"
    EMPTY = "empty"


@dataclass(frozen=True)
class DrainTimes:
    """Seconds: ``settle`` until the endpoints no longer contain the pod, ``window`` for moving the connections."""

    settle: float
    window: float


class Drain:
    """``connections`` returns the open connections. Leases are timed by the event loop's clock."""

    def __init__(
        self, times: DrainTimes, connections: Callable[[], Collection[Connection]], *, rng: random.Random | None = None
    ) -> None:
        self._times = times
        self._connections = connections
        self._random = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._leases: dict[str, float] = {}
        self._terminating = False
        self._task: asyncio.Task[None] | None = None
        self._expiry: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._settled_at = 0.0
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
        """Wait for the endpoints again: a client that is accepted shows that they still contain this pod."""
        if self._task is not None and not self._terminating:
            if self.state is not State.SETTLING:
                logger.warning("clients still connect to this draining pod: its endpoints are out of date")
            self._empty.clear()
            self._settle()

    @property
    def leases(self) -> Mapping[str, float]:
        """Return the remaining seconds of each lease."""
        now = asyncio.get_running_loop().time()
        return {name: max(0.0, until - now) for name, until in self._leases.items()}

    def lease(self, name: str, ttl_seconds: float) -> None:
        """Start a lease of ``ttl_seconds``, or renew the lease if it exists."""
        self._leases[name] = asyncio.get_running_loop().time() + ttl_seconds
        self._begin()
        if self._expiry is None:
            self._expiry = asyncio.create_task(self._watch_leases())

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
        """Drain finally; return when settled and no connection is left, or after ``grace`` seconds."""
        self._terminating = True
        self._begin()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), grace)

    def after_ms(self) -> int:
        return self._random.randint(*AFTER_MS)

    def rebalance(self, count: int, candidates: Collection[Connection]) -> int:
        """Move ``count`` randomly chosen candidates away now. Return how many connections were moved."""
        chosen = self._random.sample(list(candidates), min(count, len(candidates)))
        for connection in chosen:
            connection.move_away(self.after_ms())
        return len(chosen)

    def _begin(self) -> None:
        if self._task is None:
            self._settle()
            logger.info("draining %d connections", len(self._connections()))
            self._task = asyncio.create_task(self._run())

    def _settle(self) -> None:
        self.state = State.SETTLING
        self._settled_at = asyncio.get_running_loop().time() + self._times.settle

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            wait = self._settled_at - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            else:
                self.state = State.DRAINING
                await self._move()

    async def _move(self) -> None:
        """Move every connection. Returns when new clients make the drain wait again."""
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
        while self._leases:
            now = asyncio.get_running_loop().time()
            for name in [name for name, until in self._leases.items() if until <= now]:
                logger.warning("the drain lease %s was not renewed in time and has ended", name)
                del self._leases[name]
            if not self._leases:
                break
            await asyncio.sleep(min(1.0, max(0.0, min(self._leases.values()) - now)))
        self._expiry = None
        self._end_unless_requested()

    def _end_unless_requested(self) -> None:
        if self.requested or self._task is None:
            return
        self._task.cancel()
        self._task = None
        self._empty.clear()
        self.state = State.SERVING
        logger.info("the drain ended; serving again")
