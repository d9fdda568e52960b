"""Conducts a run: begins the faults at their times, and notes when the system is well again after each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import httpx

from tests.e2e.chaos.injectors import Injectors
from tests.e2e.chaos.processes import ClientProcess
from tests.e2e.chaos.report import Outcome
from tests.e2e.chaos.schedule import MOST_AT_ONCE, Fault
from tests.e2e.chaos.system import System
from tests.e2e.watching import Watcher
from tests.support.api import Api
from tests.support.clock import steady
from tests.support.eventually import eventually_async

RECOVERY_SECONDS: Final = 300.0
"""Generous: Kubernetes waits up to minutes before it restarts a container that was killed often."""
PATIENCE: Final = 2
"""A slow machine may take so many times as long as planned before faults are left out."""
LOOK_SECONDS: Final = 2.0
LIVE: Final = 0.95
JOINING: Final = 10
"""The part of the clients that has to be connected, and how many more may be about to join a new booking."""

logger = logging.getLogger("chaos")


class Canary:
    """Makes a change each second, and notes when one was acknowledged and arrived at a client."""

    def __init__(self, watcher: Watcher, admin: Api, booking: str, workers: Sequence[str]) -> None:
        self._watcher, self._admin = watcher, admin
        self._booking, self._workers = booking, workers
        self.well_at = float("-inf")
        """When the newest change began that was acknowledged and arrived."""

    async def run(self) -> None:
        turn = 0
        while True:
            turn += 1
            begun = steady()
            seq = await asyncio.to_thread(self._write, self._workers[turn % len(self._workers)])
            if seq is not None:
                with contextlib.suppress(AssertionError):
                    await eventually_async(partial(self._has, seq), 10, "the change arrived", 0.1)
                    self.well_at = begun
            await asyncio.sleep(1)

    def _has(self, seq: int) -> bool:
        return bool(self._watcher.seqs) and self._watcher.seqs[-1] >= seq

    def _write(self, worker: str) -> int | None:
        path = f"bookings/{self._booking}/assign/"
        try:
            answer = self._admin.send("POST", path, {"worker_id": worker}, headers={"Connection": "close"}, timeout=10)
            if answer.status_code == 401:
                self._admin.refresh()
        except (httpx.HTTPError, AssertionError):
            return None
        return int(answer.json()["seq"]) if answer.status_code == 200 else None


class Observer:
    """Looks at the whole system again and again."""

    def __init__(self, system: System, canary: Canary, clients: Sequence[ClientProcess]) -> None:
        self._system, self._canary, self._clients = system, canary, clients
        self._well_at = float("-inf")
        self.ailments: list[str] = []

    async def run(self) -> None:
        while True:
            begun = steady()
            before, self.ailments = self.ailments, await asyncio.to_thread(self._look)
            if before != self.ailments:
                logger.info("%s", "; ".join(self.ailments) or "all is well")
            if not self.ailments:
                self._well_at = begun
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self) -> list[str]:
        try:
            found = self._system.ailments()
        except Exception as error:  # noqa: BLE001 - whatever kubectl says, the system cannot be called well
            return [f"the API server: {error}"]
        watching = sum(process.figures["watching"] for process in self._clients)
        live = sum(process.figures["live"] for process in self._clients)
        if live < LIVE * watching - JOINING:
            found.append(f"{live} of {watching} clients are connected")
        return found

    def well_since(self, moment: float) -> bool:
        """Return whether everything was seen well after the moment."""
        return min(self._well_at, self._canary.well_at) >= moment


class Conductor:
    """Begins faults as planned, and later if an earlier one has not recovered that they must not overlap."""

    def __init__(self, injectors: Injectors, observer: Observer) -> None:
        self._injectors, self._observer = injectors, observer
        self._running: dict[Fault, asyncio.Task[None]] = {}
        self.outcomes: list[Outcome] = []
        self.left_out: list[Fault] = []
        """Faults for which no time was left, because others recovered later than planned."""

    async def run(self, faults: Sequence[Fault], seconds: float) -> None:
        try:
            await self._begin(faults, seconds)
            await asyncio.gather(*self._running.values())
        finally:
            for task in self._running.values():
                task.cancel()  # what it did is undone
            await asyncio.gather(*self._running.values(), return_exceptions=True)
        self.outcomes.sort(key=lambda outcome: outcome.fault.number)

    async def _begin(self, faults: Sequence[Fault], seconds: float) -> None:
        begun = steady()
        for fault in faults:
            await asyncio.sleep(max(0.0, begun + fault.at - steady()))
            await self._until_free(fault)
            if steady() - begun > PATIENCE * seconds:
                self.left_out.append(fault)
                continue
            self._running[fault] = asyncio.create_task(self._one(fault, begun))

    async def _until_free(self, fault: Fault) -> None:
        def running() -> list[Fault]:
            return [other for other, task in self._running.items() if not task.done()]

        while any(other.kind.excludes(fault.kind) for other in running()) or len(running()) >= MOST_AT_ONCE:
            await asyncio.wait([self._running[other] for other in running()], return_when=asyncio.FIRST_COMPLETED)

    async def _one(self, fault: Fault, begun: float) -> None:
        injector = self._injectors.of(fault)
        began = steady()
        victim = await asyncio.to_thread(injector.__enter__)
        logger.info("%d %s: %s", fault.number, fault.kind.name, victim)
        try:
            await asyncio.sleep(fault.lasts)
        finally:
            healed = steady()
            await asyncio.to_thread(injector.__exit__, None, None, None)
        undone = steady()
        recovered: float | None = None
        while recovered is None and steady() < healed + RECOVERY_SECONDS:
            await asyncio.sleep(0.2)
            if self._observer.well_since(undone):
                recovered = steady()
        after = "not recovered" if recovered is None else f"recovered after {recovered - healed:.1f} s"
        logger.info("%d %s: %s", fault.number, fault.kind.name, after)
        self.outcomes.append(
            Outcome(fault, victim, began - begun, healed - begun, None if recovered is None else recovered - begun)
        )


@asynccontextmanager
async def observed(
    system: System, clients: Sequence[ClientProcess], canary: Canary, watcher: Watcher
) -> AsyncIterator[Observer]:
    """Run the canary and the observer within the block."""
    observer = Observer(system, canary, clients)
    tasks = [asyncio.create_task(work) for work in (watcher.run(), canary.run(), observer.run())]
    try:
        yield observer
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
