"""Recovers missed events from the database.

One loop serves every reason: a gap in a channel's seq, an interrupted Redis subscription, an unsigned message, and the
clock. Each round compares the requested channels with the database in batches, and reads only the logs of the channels
that are behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Container, Mapping
from typing import Final

from django.db import Error as DatabaseError

from hunarmitra.database.troubles import log_failure
from hunarmitra_ws.hub import queries
from hunarmitra_ws.hub.channel import Channel
from hunarmitra_ws.hub.database_threads import DatabaseThreads
from hunarmitra_ws.hub.queries import ChannelState, LogRange
from hunarmitra_ws.metrics import metrics

logger = logging.getLogger(__name__)

PAUSE_AFTER_FAILURE: Final = 0.5
"""Seconds before the database is asked again after a failure."""


class Recovery:
    """``channels`` is the hub's mapping; ``on_gone`` is called with a channel whose booking or user was deleted."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        threads: DatabaseThreads,
        *,
        interval: float,
        on_gone: Callable[[str], None],
    ) -> None:
        self._channels = channels
        self._threads = threads
        self._interval = interval
        self._on_gone = on_gone
        self._requested: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._available = True

    def request(self, channel_name: str, found_by: str) -> None:
        """``found_by`` is ``seq``, ``recovery`` or ``unsigned``, for the metrics; the first reason is kept."""
        self._requested.setdefault(channel_name, found_by)
        self._wake.set()

    def request_all(self, found_by: str) -> None:
        for name in self._channels:
            self._requested.setdefault(name, found_by)
        self._wake.set()

    def started(self, channel_name: str) -> None:
        """Check a request from before the channel's first subscription had read the log."""
        if channel_name in self._requested:
            self._wake.set()

    async def run(self) -> None:
        """Check requested channels as soon as they are requested, and all channels every ``interval`` seconds."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._interval
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(0.0, due - loop.time()))
            if loop.time() >= due:
                self.request_all("comparison")
                due = loop.time() + self._interval
            self._wake.clear()
            await self._check_requested()

    async def _check_requested(self) -> None:
        # A channel whose first subscription is still reading keeps its request until it has started.
        requested = {name: reason for name, reason in self._requested.items() if self._is_started(name)}
        self._requested = {
            name: reason for name, reason in self._requested.items() if name not in requested and name in self._channels
        }
        done = False
        try:
            await self._compare(requested)
            done = True
        except DatabaseError as error:
            if self._available:
                log_failure(logger, "cannot compare with the database, trying again", error)
            self._available = False
            metrics.comparison_failures.inc()
            await asyncio.sleep(PAUSE_AFTER_FAILURE)
        finally:
            if not done:
                self._requested = requested | self._requested
                self._wake.set()
        if done:
            self._available = True
            metrics.compared_at = time.time()

    def _is_started(self, channel_name: str) -> bool:
        channel = self._channels.get(channel_name)
        return channel is not None and channel.last_seq is not None

    async def _compare(self, requested: Mapping[str, str]) -> None:
        if not requested:
            return
        names = list(requested)
        before = {name: self._channels[name].last_seq or 0 for name in names}
        states = await self._threads.run(queries.channel_states, names)
        behind: dict[str, int] = {}
        moved: list[str] = []
        for name in names:
            channel, state = self._channels.get(name), states.get(name)
            if state is None:
                self._on_gone(name)
                continue
            if channel is None or channel.last_seq is None:
                continue
            if state.seq < before[name]:
                logger.warning("%s went back from seq %d to %d in the database", name, before[name], state.seq)
                channel.restart(state.seq)
            elif state.seq > channel.last_seq:
                behind[name] = channel.last_seq
                metrics.gaps.inc(requested[name])
            if state.location_order > channel.location_order:
                moved.append(name)
        if behind:
            await self._recover_events(behind, states, lost={name for name in behind if requested[name] != "unsigned"})
        if moved:
            await self._recover_locations(moved)

    async def _recover_locations(self, names: list[str]) -> None:
        for name, location in (await self._threads.run(queries.stored_locations, names)).items():
            if (channel := self._channels.get(name)) is not None:
                channel.recover_location(*location)

    async def _recover_events(
        self, behind: Mapping[str, int], states: Mapping[str, ChannelState], *, lost: Container[str]
    ) -> None:
        """``lost``: channels whose message did not arrive; that of the others is not signed."""
        missing = [LogRange(name, after, states[name].seq) for name, after in behind.items()]
        for name, events in (await self._threads.run(queries.read_logs, missing)).items():
            channel = self._channels.get(name)
            if channel is None:
                continue
            before = channel.last_seq or 0
            for event in events:
                channel.receive(event.seq, event.frame, event.clears_location, event.committed_at)
            last_seq = channel.last_seq or 0
            if name in lost:
                metrics.events_recovered.inc(amount=sum(before < event.seq <= last_seq for event in events))
            if last_seq < states[name].seq:
                logger.warning("the log of %s has a hole after seq %d", name, last_seq)
                channel.restart(states[name].seq)
