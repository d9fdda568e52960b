"""Sends a joining subscription the events that its client missed, as fast as the client reads."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from django.db import Error as DatabaseError

from hunarmitra.database.troubles import log_failure
from hunarmitra_ws.hub.channel import Channel
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.queries import ChannelState, Event
from hunarmitra_ws.hub.subscription import Subscription
from hunarmitra_ws.metrics import metrics

logger = logging.getLogger(__name__)

PAUSE: Final = 0.2
"""Seconds before the next read after the database failed, or lacked an event that Redis already announced."""

AT_ONCE: Final = 5
"""Events encoded before the event loop serves others: about 0.05 ms, which delays live events in each such turn."""

PER_WRITE: Final = 25
"""Events pushed together, so that they leave in one write: a write costs as much as encoding a frame."""

ReadPage = Callable[[int], Awaitable[tuple[ChannelState | None, Sequence[Event]]]]
"""Reads a page of events after a seq; the state is None when the channel's booking or user was deleted."""


@dataclass
class Replay:
    """Sends a subscription the events that its client missed: at once if they fit, else page by page.

    A log of any length can be replayed. A slow client with a long log costs no more memory than its send buffer: events
    committed meanwhile stay in the database, and the replay reads on until no event is missing.

    ``last_seq`` is the newest event that was pushed. ``most_waiting`` bounds the bytes that wait for the client.
    """

    subscription: Subscription
    channel: Channel
    last_seq: int
    location_order: int
    min_location_seq: int
    most_waiting: int

    def finish_at_once(self, events: Sequence[Event], newest: int) -> bool:
        """Push ``events`` and go live. Return False if they are not all up to ``newest``, or exceed the buffer."""
        frames = [OutgoingFrame(event.frame) for event in events]
        size = self.subscription.lanes.waiting_bytes + sum(frame.size for frame in frames)
        if self.last_seq + len(events) < newest or (events and size > self.most_waiting):
            self.subscription.stop_holding()
            return False
        for event, frame in zip(events, frames, strict=True):
            self._push(event, frame)
        self.subscription.go_live(
            seq=newest, location_order=self.location_order, min_location_seq=self.min_location_seq
        )
        return True

    async def finish(self, events: Sequence[Event], read_page: ReadPage) -> bool:
        """Push ``events``, then the following pages, and go live. Return False if the subscription ended before."""
        lanes = self.subscription.lanes
        while True:
            for start in range(0, len(events), PER_WRITE):
                await self._send(events[start : start + PER_WRITE])
            await lanes.all_sent()
            try:
                state, events = await read_page(self.last_seq)
            except (DatabaseError, TimeoutError) as error:
                log_failure(logger, f"the replay of {self.channel.name} waits", error)
                await asyncio.sleep(PAUSE)
                events = ()
                continue
            if state is None or lanes.closing:
                return False
            missing = state.seq > self.last_seq and (not events or events[0].seq != self.last_seq + 1)
            if missing or state.seq < self.last_seq:
                # Events were pruned meanwhile, or the database was restored from a backup.
                self.subscription.require_resync(state.seq)
                self.last_seq, events = state.seq, ()
            if events:
                continue
            if (self.channel.last_seq or 0) <= self.last_seq:
                self.subscription.go_live(
                    seq=self.last_seq,
                    location_order=self.location_order,
                    min_location_seq=max(self.min_location_seq, self.channel.min_location_seq),
                )
                return True
            await asyncio.sleep(PAUSE)

    async def _send(self, events: Sequence[Event]) -> None:
        lanes = self.subscription.lanes
        frames = []
        for number, event in enumerate(events, 1):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            frames.append(OutgoingFrame(event.frame))
        for event, frame in zip(events, frames, strict=True):
            if lanes.waiting_bytes + frame.size > self.most_waiting:
                await lanes.all_sent()
            self._push(event, frame)

    def _push(self, event: Event, frame: OutgoingFrame) -> None:
        self.subscription.lanes.push(frame)
        self.last_seq = event.seq
        if event.clears_location:
            self.min_location_seq = max(self.min_location_seq, event.seq)
        metrics.replayed_age.observe(max(0.0, time.time() - event.committed_at))
