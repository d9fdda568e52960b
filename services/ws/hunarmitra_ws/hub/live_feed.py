"""Every tracked booking, while a member of staff watches them all.

The process subscribes to each tracked booking's channel as it does for a client that watches it, so that order, gaps,
recovery and comparison are those of any channel. Publishers and Redis do nothing more, and nothing at all while nobody
watches. Bookings that become tracked are found by a query every second.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from django.db import Error as DatabaseError

from hunarmitra.protocol.statuses import TRACKED
from hunarmitra_ws.hub.channel import Channel
from hunarmitra_ws.hub.database_threads import DatabaseThreads
from hunarmitra_ws.hub.disconnects import REPLAY_FAILED
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.live_queries import LiveRow, read_live_rows, tracked_bookings
from hunarmitra_ws.hub.live_watch import LiveWatch
from hunarmitra_ws.hub.subscription_index import SubscriptionIndex

logger = logging.getLogger(__name__)

SCAN_INTERVAL: Final = 1.0
"""Seconds between two looks for bookings that became tracked."""

LOAD_TIMEOUT: Final = 30.0
"""Seconds that the first watcher waits for the bookings."""

PER_READ: Final = 500


class LiveBooking:
    """The newest state of a booking of the feed: its newest status event and location, each as a frame.

    ``location`` has the keys of the location's frame. ``seq`` is 0 until the booking was read.
    """

    __slots__ = ("_feed", "booking_id", "channel", "event", "location", "location_frame", "seq", "status")

    def __init__(self, feed: LiveFeed, channel: Channel, booking_id: str) -> None:
        self._feed = feed
        self.channel = channel
        self.booking_id = booking_id
        self.seq = 0
        self.status = ""
        self.event = OutgoingFrame("")
        self.location: Mapping[str, Any] | None = None
        self.location_frame: OutgoingFrame | None = None

    @property
    def tracked(self) -> bool:
        return self.status in TRACKED

    def to_wire(self) -> dict[str, Any]:
        return {"booking_id": self.booking_id, "seq": self.seq, "status": self.status, "location": self.location}

    def load(self, row: LiveRow) -> None:
        """Take the state from the database, unless a newer one was delivered meanwhile."""
        if row.state.seq >= self.seq:
            self.seq, self.status, self.event = row.state.seq, row.status, OutgoingFrame(row.event)
        channel, state = self.channel, row.state
        arrived = self.location_frame is not None and channel.location_seq >= state.min_location_seq
        if not arrived or channel.location_order < state.location_order:
            self.location = row.location
            self.location_frame = None if row.location_text is None else OutgoingFrame(row.location_text)

    def deliver(self, seq: int, frame: OutgoingFrame) -> None:
        """Take an event of the channel, which gives each once and in order."""
        if seq <= self.seq:
            return
        self.seq, self.event = seq, frame
        self.status = json.loads(frame.text)["status"]
        if self.channel.location_order == 0:
            self.location = self.location_frame = None
        self._feed.delivered(self, frame)

    def deliver_location(self, frame: OutgoingFrame) -> None:
        """Take a location. One that arrives before the booking was read waits: its state must come first."""
        self.location, self.location_frame = json.loads(frame.text), frame
        if self.seq:
            self._feed.located(self, frame)

    def restarted(self) -> None:
        """The database was restored from a backup."""
        self._feed.restarted()


class LiveFeed:
    """The tracked bookings of one process. ``subscribe`` and ``abandon`` are the hub's, for channels at Redis.

    ``announce`` tells the processes of the workers that somebody watches the channels.
    """

    def __init__(
        self,
        index: SubscriptionIndex,
        threads: DatabaseThreads,
        *,
        subscribe: Callable[[Sequence[Channel]], Awaitable[bool]],
        abandon: Callable[[Channel], None],
        announce: Callable[[Sequence[str]], Awaitable[None]],
    ) -> None:
        self._index = index
        self._threads = threads
        self._subscribe = subscribe
        self._abandon = abandon
        self._announce = announce
        self._unannounced: list[str] = []
        self._bookings: dict[str, LiveBooking] = {}
        self._wake = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []

    # Watchers

    def add(self, watch: LiveWatch) -> None:
        """Register the watch: a staff role that is removed from now on ends it."""
        self._index.live_watches[watch] = None

    async def send_pages(self, watch: LiveWatch) -> None:
        """Look for bookings that became tracked, then send all of them. Raises TimeoutError."""
        known: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(known)
        self._wake.set()
        await asyncio.wait_for(known, LOAD_TIMEOUT)
        await watch.send_pages(list(self._bookings.values()))

    def remove(self, watch: LiveWatch) -> None:
        watch.end()
        self._index.live_watches.pop(watch, None)

    # The bookings

    async def run(self) -> None:
        """Keep the tracked bookings while somebody watches, and forget them when nobody does any more."""
        while True:
            await self._wake.wait()
            available = True
            while self._index.live_watches:
                self._wake.clear()
                try:
                    await self._scan()
                    available = True
                    # After the pages, which wait for the scan.
                    unannounced, self._unannounced = self._unannounced, []
                    await self._announce(unannounced)
                except (DatabaseError, TimeoutError) as error:
                    if available:
                        logger.warning("cannot read the tracked bookings: %s; trying again", type(error).__name__)
                    available = False
                    await asyncio.sleep(SCAN_INTERVAL)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), SCAN_INTERVAL)
            self._wake.clear()
            for booking in list(self._bookings.values()):
                self._detach(booking)

    async def _scan(self) -> None:
        """Add the bookings that became tracked, then let those continue who waited for that."""
        waiting, self._waiting = self._waiting, []
        complete = False
        try:
            await self._add_tracked()
            complete = True
        finally:
            if not complete:
                self._waiting = waiting + self._waiting
                self._wake.set()
        for known in waiting:
            if not known.done():
                known.set_result(None)

    async def _add_tracked(self) -> None:
        found = await self._threads.run(tracked_bookings, frozenset(self._bookings))
        for start in range(0, len(found), PER_READ):
            await self._attach(found[start : start + PER_READ])

    async def _attach(self, names: Sequence[str]) -> None:
        """Add bookings: subscribed to before they are read, so that no event is lost in between."""
        added = []
        for name in names:
            channel = self._index.channel(name)
            booking = self._bookings[name] = channel.feed = LiveBooking(self, channel, name.partition(".")[2])
            added.append(booking)
        complete = False
        try:
            await self._subscribe([booking.channel for booking in added])
            rows = await self._threads.run(read_live_rows, names)
            complete = True
        finally:
            if not complete:
                for booking in added:
                    self._detach(booking)
        for booking in added:
            row = rows.get(booking.channel.name)
            if row is not None:
                state = row.state
                booking.load(row)
                booking.channel.start(
                    seq=state.seq, min_location_seq=state.min_location_seq, location_order=state.location_order
                )
            if not booking.tracked:
                self._detach(booking)
            else:
                if booking.location is not None:
                    self._unannounced.append(booking.channel.name)
                for watch in list(self._index.live_watches):
                    watch.entered(booking)

    def _detach(self, booking: LiveBooking) -> None:
        channel = booking.channel
        self._bookings.pop(channel.name, None)
        if channel.feed is booking:
            channel.feed = None
            if not channel.subscriptions:
                self._index.channels.pop(channel.name, None)
                self._abandon(channel)

    # What channels tell

    def delivered(self, booking: LiveBooking, frame: OutgoingFrame) -> None:
        for watch in list(self._index.live_watches):
            watch.status(booking, frame)
        if not booking.tracked:
            self._detach(booking)

    def located(self, booking: LiveBooking, frame: OutgoingFrame) -> None:
        for watch in list(self._index.live_watches):
            watch.location(booking, frame)

    def gone(self, channel_name: str) -> None:
        """Forget a booking that was deleted."""
        booking = self._bookings.get(channel_name)
        if booking is not None:
            for watch in list(self._index.live_watches):
                watch.left(booking)
            self._detach(booking)

    def restarted(self) -> None:
        """End every watch: clients subscribe again, and get pages of the restored state."""
        for watch in list(self._index.live_watches):
            with contextlib.suppress(KeyError):
                del self._index.live_watches[watch]
            watch.end(REPLAY_FAILED)
        for booking in list(self._bookings.values()):
            self._detach(booking)
