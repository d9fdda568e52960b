"""Sends what a client missed: at once where it fits, else a page at a time and no faster than the client reads.

A log has no longest length beyond which it is not replayed, and still a slow client on a long log holds neither more
memory than its send buffer nor what is committed meanwhile: the database keeps that, and the replay reads on until
nothing is missing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from django.db import Error as DatabaseError

from hunarmitra.protocol.frames import ResyncRequired
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.groups import Group
from hunarmitra_ws.hub.reading import Event, Standing
from hunarmitra_ws.hub.sockets import Socket
from hunarmitra_ws.metrics import metrics

logger = logging.getLogger(__name__)

PAUSE: Final = 0.2
"""Seconds before a database is asked again that failed, or did not have yet what was announced."""

AT_ONCE: Final = 5
"""Events that are made into frames before others are served: some 0.05 ms, and an event for others waits for it in each
of the few turns of the loop that it takes."""

PER_WRITE: Final = 25
"""Events that leave in one write: a write costs as much as a frame."""

ReadPage = Callable[[int], Awaitable[tuple[Standing | None, Sequence[Event]]]]
"""Reads a page of events after a ``seq``; the standing is None when the group no longer exists."""


@dataclass
class Replay:
    """Of one joining socket. ``position`` is the ``seq`` up to which everything was handed to the socket's lanes.

    ``most_waiting`` bounds, in bytes, what may wait for the client before more is sent.
    """

    socket: Socket
    group: Group
    position: int
    location_order: int
    floor: int
    most_waiting: int

    def finish_at_once(self, events: Sequence[Event], newest: int) -> bool:
        """True when ``events`` were all up to ``newest`` and did not fill the buffer: the socket is live."""
        frames = [OutgoingFrame(event.frame) for event in events]
        if self.position + len(events) < newest or sum(frame.size for frame in frames) > self.most_waiting:
            self.socket.hold_no_events()
            return False
        for event, frame in zip(events, frames, strict=True):
            self._push(event, frame)
        self.socket.go_live(seq=newest, location_order=self.location_order, floor=self.floor)
        return True

    async def finish(self, events: Sequence[Event], read_page: ReadPage) -> bool:
        """Send ``events``, then page by page what follows. False when the socket ended, or what it watches is gone."""
        lanes = self.socket.lanes
        while True:
            for start in range(0, len(events), PER_WRITE):
                await self._send(events[start : start + PER_WRITE])
            await lanes.taken()
            try:
                standing, events = await read_page(self.position)
            except (DatabaseError, TimeoutError) as error:
                logger.warning("a replay waits for the database: %s", type(error).__name__)
                await asyncio.sleep(PAUSE)
                events = ()
                continue
            if standing is None or lanes.closing:
                return False
            missing = standing.seq > self.position and (not events or events[0].seq != self.position + 1)
            if missing or standing.seq < self.position:
                # Pruned meanwhile, or a database that was restored from a backup.
                self.socket.send(ResyncRequired(seq=standing.seq))
                self.position, events = standing.seq, ()
            if events:
                continue
            if (self.group.last_seq or 0) <= self.position:
                floor = max(self.floor, self.group.floor)
                self.socket.go_live(seq=self.position, location_order=self.location_order, floor=floor)
                return True
            await asyncio.sleep(PAUSE)

    async def _send(self, events: Sequence[Event]) -> None:
        lanes = self.socket.lanes
        frames = []
        for number, event in enumerate(events, 1):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            frames.append(OutgoingFrame(event.frame))
        for event, frame in zip(events, frames, strict=True):
            if lanes.waiting_bytes + frame.size > self.most_waiting:
                await lanes.taken()
            self._push(event, frame)

    def _push(self, event: Event, frame: OutgoingFrame) -> None:
        self.socket.lanes.push(frame)
        self.position = event.seq
        if event.clears_location:
            self.floor = max(self.floor, event.seq)
        metrics.replayed_age.observe(max(0.0, time.time() - event.committed_at))
