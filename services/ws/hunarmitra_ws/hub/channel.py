"""One watched booking or user in this process: its subscriptions, and the events delivered to them."""

from __future__ import annotations

import asyncio
from typing import Protocol

from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.subscription import Subscription
from hunarmitra_ws.latency import Arrival
from hunarmitra_ws.metrics import Origin, metrics

MOST_PENDING = 1000
"""Events kept while an earlier one is missing; further ones are read from the database later."""


class Feed(Protocol):
    """Where a booking's events and locations go beside its subscriptions."""

    def deliver(self, seq: int, frame: OutgoingFrame) -> None: ...

    def deliver_location(self, frame: OutgoingFrame) -> None: ...

    def restarted(self) -> None: ...


class Channel:
    """Delivers events to its subscriptions in the order of their ``seq``: each once, without a gap.

    ``last_seq`` is the newest event that was delivered, or None until a joining subscription has read the log.
    ``min_location_seq`` is the smallest seq whose locations still count. ``location_order`` is the time of the newest
    location (microseconds since 1970), and ``location_seq`` the booking's seq when that location was accepted: an event
    that voids locations may arrive after locations that were accepted after it. ``_location_frame`` is the text of the
    newest location, or None if it was read from the database: the next message of the same time is then a repeat.
    ``feed`` is the booking's place in the live feed, while a member of staff watches that.
    ``acknowledged`` is the wait for Redis to acknowledge the process's subscription, then whether Redis did. It is None
    before, and after a failure. A task that has ended would keep half a kilobyte.

    Most channels have one or two subscriptions and no pending event, so subscriptions are in a tuple, and the dict of
    pending events exists only while there are some: a dict of one needs four times as much memory as a tuple.
    """

    __slots__ = (
        "_location_frame",
        "_pending",
        "acknowledged",
        "feed",
        "last_seq",
        "location_order",
        "location_seq",
        "min_location_seq",
        "name",
        "subscriptions",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.subscriptions: tuple[Subscription, ...] = ()
        self.acknowledged: asyncio.Task[bool] | bool | None = None
        self.feed: Feed | None = None
        self.last_seq: int | None = None
        self.min_location_seq = 0
        self.location_order = 0
        self.location_seq = 0
        self._location_frame: str | None = ""
        self._pending: dict[int, tuple[str, bool, Origin]] | None = None

    def add(self, subscription: Subscription) -> None:
        if subscription not in self.subscriptions:
            self.subscriptions = (*self.subscriptions, subscription)

    def remove(self, subscription: Subscription) -> None:
        self.subscriptions = tuple(other for other in self.subscriptions if other is not subscription)

    def start(self, *, seq: int, min_location_seq: int, location_order: int) -> None:
        """Begin to deliver after ``seq``, up to which a subscription has read the log. Later calls change no seq."""
        self.min_location_seq = max(self.min_location_seq, min_location_seq)
        if self.last_seq is None:
            self.last_seq = seq
            if location_order > self.location_order:
                self.location_order, self.location_seq = location_order, seq
            self._deliver_pending()

    def receive(self, seq: int, frame: str, clears_location: bool, origin: Origin = None) -> bool:
        """Take an event, in any order. Return False when an earlier one is missing and must be recovered."""
        if self.last_seq is None:
            self._keep(seq, frame, clears_location, origin)
            return True
        if seq <= self.last_seq:
            return True
        if seq > self.last_seq + 1:
            self._keep(seq, frame, clears_location, origin)
            return False
        self._deliver(seq, frame, clears_location, origin)
        self._deliver_pending()
        return not self._pending

    def receive_location(self, seq: int, order: int, frame: str, origin: Origin = None) -> None:
        """Take a location; drop it if it is void, older than the newest, or a repeat of it.

        Two locations may have the same time. The one that arrives later is delivered too.
        """
        if seq < self.min_location_seq or order < self.location_order:
            return
        if order == self.location_order and self._location_frame in (None, frame):
            return
        self.location_order, self.location_seq, self._location_frame = order, seq, frame
        outgoing = OutgoingFrame(frame)
        delivered = 0
        for subscription in self.subscriptions:
            delivered += subscription.deliver_location(seq, order, outgoing)
        if delivered:
            metrics.delivered("location", delivered, origin)
        if self.feed is not None:
            self.feed.deliver_location(outgoing)

    def recover_location(self, seq: int, order: int, frame: str) -> None:
        """Take a location that was read from the database, once; its message may have arrived, or may still arrive.

        The two texts may differ, because the ETA may have changed since.
        """
        if order > self.location_order:
            self.receive_location(seq, order, frame)
            self._location_frame = None

    def restart(self, seq: int) -> None:
        """Continue from a lower ``seq`` after a restored backup: clients must fetch the state over REST."""
        self.last_seq = seq
        self.min_location_seq = 0
        self.location_order = self.location_seq = 0
        self._pending = None
        for subscription in self.subscriptions:
            if subscription.live:
                subscription.last_seq = seq
                subscription.location_order = subscription.location_seq = 0
                subscription.known_location_order = 0
                subscription.require_resync(seq)
        if self.feed is not None:
            self.feed.restarted()

    def _keep(self, seq: int, frame: str, clears_location: bool, origin: Origin) -> None:
        if self._pending is None:
            self._pending = {}
        if len(self._pending) < MOST_PENDING:
            self._pending[seq] = (frame, clears_location, origin)

    def _deliver(self, seq: int, frame: str, clears_location: bool, origin: Origin) -> None:
        self.last_seq = seq
        if clears_location:
            self.min_location_seq = max(self.min_location_seq, seq)
            if self.location_seq < seq:
                self.location_order = 0
        outgoing = OutgoingFrame(frame)
        delivered = 0
        for subscription in self.subscriptions:
            delivered += subscription.deliver(seq, outgoing, clears_location)
        if delivered:
            metrics.delivered("status", delivered, origin)
            if isinstance(origin, Arrival) and origin.ack:
                asked = (id(each) for each in self.subscriptions if each.live and each.last_seq == seq)
                metrics.acknowledgements.ask(self.name, seq, origin.committed_at, asked)
        if self.feed is not None:
            self.feed.deliver(seq, outgoing)

    def _deliver_pending(self) -> None:
        pending = self._pending
        if pending is None:
            return
        assert self.last_seq is not None
        while event := pending.pop(self.last_seq + 1, None):
            self._deliver(self.last_seq + 1, *event)
        self._pending = {seq: event for seq, event in pending.items() if seq > self.last_seq} or None
