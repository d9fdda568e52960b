"""Reads from the database what no message brought.

One loop and one path for every reason: a gap, an interrupted subscription, the clock. Each round compares the
groups that need it with the database in batches, and reads only the logs of those that are behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from django.db import Error as DatabaseError

from hunarmitra_ws.hub import reading
from hunarmitra_ws.hub.database_threads import DatabaseThreads
from hunarmitra_ws.hub.groups import Group
from hunarmitra_ws.hub.reading import Standing
from hunarmitra_ws.metrics import metrics

logger = logging.getLogger(__name__)

PAUSE_AFTER_FAILURE: Final = 0.5
"""Seconds before a database that failed is asked again."""


class CatchUp:
    """``groups`` is the hub's own mapping; ``on_gone`` is told of a group whose booking or user was deleted."""

    def __init__(
        self,
        groups: Mapping[str, Group],
        threads: DatabaseThreads,
        *,
        interval: float,
        on_gone: Callable[[str], None],
    ) -> None:
        self._groups = groups
        self._threads = threads
        self._interval = interval
        self._on_gone = on_gone
        self._requested: dict[str, str] = {}
        self._wake = asyncio.Event()

    def request(self, name: str, found_by: str) -> None:
        """``found_by``: ``seq`` or ``recovery``, for the metrics; the first reason stands."""
        self._requested.setdefault(name, found_by)
        self._wake.set()

    def request_all(self, found_by: str) -> None:
        for name in self._groups:
            self._requested.setdefault(name, found_by)
        self._wake.set()

    def started(self, name: str) -> None:
        """The group's first socket has read: what was requested before can be checked now."""
        if name in self._requested:
            self._wake.set()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._interval
        available = True
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(0.0, due - loop.time()))
            self._wake.clear()
            if loop.time() >= due:
                self.request_all("comparison")
                self._wake.clear()
                due = loop.time() + self._interval
            # A group whose first socket is still reading keeps its request until it has started.
            requested = {name: reason for name, reason in self._requested.items() if self._is_started(name)}
            self._requested = {
                name: reason
                for name, reason in self._requested.items()
                if name not in requested and name in self._groups
            }
            try:
                await self._check(requested)
                available = True
                metrics.compared_at = time.time()
            except DatabaseError as error:
                if available:
                    logger.warning("the database cannot be compared with: %s; trying again", type(error).__name__)
                available = False
                metrics.comparison_failures.inc()
                self._requested = requested | self._requested
                self._wake.set()
                await asyncio.sleep(PAUSE_AFTER_FAILURE)

    def _is_started(self, name: str) -> bool:
        group = self._groups.get(name)
        return group is not None and group.last_seq is not None

    async def _check(self, requested: Mapping[str, str]) -> None:
        if not requested:
            return
        names = list(requested)
        before = {name: self._groups[name].last_seq or 0 for name in names}
        found = await self._threads.run(reading.standings, names)
        behind: dict[str, int] = {}
        moved: list[str] = []
        for name in names:
            group, standing = self._groups.get(name), found.get(name)
            if standing is None:
                self._on_gone(name)
                continue
            if group is None or group.last_seq is None:
                continue
            if standing.seq < before[name]:
                logger.warning("%s went back from %d to %d in the database", name, before[name], standing.seq)
                group.restart(standing.seq)
            elif standing.seq > group.last_seq:
                behind[name] = group.last_seq
                metrics.gaps.inc(requested[name])
            if standing.location_order > group.location_order:
                moved.append(name)
        if behind:
            await self._read_logs(behind, found)
        if moved:
            await self._read_locations(moved)

    async def _read_locations(self, names: list[str]) -> None:
        for name, location in (await self._threads.run(reading.locations, names)).items():
            if (group := self._groups.get(name)) is not None:
                group.read_location(*location)

    async def _read_logs(self, behind: Mapping[str, int], found: Mapping[str, Standing]) -> None:
        missing = [reading.Stretch(name, after, found[name].seq) for name, after in behind.items()]
        for name, events in (await self._threads.run(reading.logs, missing)).items():
            group = self._groups.get(name)
            if group is None:
                continue
            before = group.last_seq or 0
            for event in events:
                group.receive(event.seq, event.frame, event.clears_location, event.committed_at)
            metrics.events_recovered.inc(amount=sum(before < event.seq <= (group.last_seq or 0) for event in events))
            if group.last_seq is not None and group.last_seq < found[name].seq:
                logger.warning("the log of %s has a hole after %d", name, group.last_seq)
                group.restart(found[name].seq)
