"""One client's subscription to one channel: what the client already has, and what is held back while it joins."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from hunarmitra.bookings.transitions import BookingRole
from hunarmitra.protocol.frames import Frame, ResyncRequired
from hunarmitra_ws.hub.client import Client
from hunarmitra_ws.hub.disconnects import Disconnect
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.metrics import metrics

NO_ROLES: Final[frozenset[BookingRole]] = frozenset()
"""One object for all: each empty frozenset that is made would need 216 bytes."""


class Subscription:
    """Filters a channel's events and locations for one client and pushes them to the client's lanes.

    While the subscription joins, it holds back what its channel receives; :meth:`go_live` hands over without a gap.

    ``roles`` are the roles by which the user may watch the booking; empty for notifications. ``last_seq`` is the newest
    event that was pushed. ``known_location_order`` is the time of a location that the client has although its message
    may still be on its way: the one in the first frame, or one that the client sent itself. ``lanes`` is where
    frames go: the client's lanes, or a part of them. ``replay`` is the task that sends a long log.
    """

    __slots__ = (
        "_held",
        "_held_location",
        "_revoked",
        "booking_id",
        "channel_name",
        "client",
        "known_location_order",
        "lanes",
        "last_seq",
        "live",
        "location_order",
        "location_seq",
        "replay",
        "roles",
    )

    def __init__(self, client: Client, *, booking_id: UUID | None, channel_name: str) -> None:
        self.client = client
        self.booking_id = booking_id
        self.lanes = client.lanes_of(self)
        self.channel_name = channel_name
        self.roles = NO_ROLES
        self.live = False
        self.replay: asyncio.Task[None] | None = None
        self.last_seq = 0
        self.location_order = 0
        self.location_seq = 0
        self.known_location_order = 0
        self._revoked = NO_ROLES
        self._held: list[tuple[int, OutgoingFrame, bool]] | None = []
        self._held_location: tuple[int, int, OutgoingFrame] | None = None

    @property
    def joined(self) -> bool:
        """Whether the first frame was sent: the subscription is live, or a long replay is under way."""
        return self._held is None

    @property
    def address(self) -> Mapping[str, str]:
        """Keys that tell a client with several subscriptions which of them a frame is about; else none."""
        return self.client.address_of(self)

    # Roles

    def grant(self, roles: frozenset[BookingRole]) -> bool:
        """Set the roles that the database gave. Return False if one of them was revoked meanwhile: read again.

        The role may have been given back since. Only a read that began after the revocation can tell.
        """
        revoked, self._revoked = self._revoked, NO_ROLES
        if roles & revoked:
            return False
        self.roles = roles
        return True

    def revoke(self, role: BookingRole) -> bool:
        """Remove a role. Return True when no role is left; for a joining subscription :meth:`grant` decides."""
        if not self.live:
            self._revoked |= {role}
        had = role in self.roles
        self.roles -= {role}
        return had and not self.roles

    # Events and locations

    def deliver(self, seq: int, frame: OutgoingFrame, clears_location: bool) -> bool:
        """Push an event. Return False if it is held back, or dropped because the client already has it."""
        if not self.live:
            if self._held is not None:
                self._held.append((seq, frame, clears_location))
            return False
        if seq <= self.last_seq:
            return False
        self.last_seq = seq
        if clears_location and self.location_seq < seq:
            self.lanes.clear_location()
            self.location_order = self.known_location_order = 0
        self.lanes.push(frame)
        return True

    def deliver_location(self, seq: int, order: int, frame: OutgoingFrame) -> bool:
        """Push a location of time ``order`` (microseconds since 1970). Return False as :meth:`deliver` does."""
        if not self.live:
            self._held_location = (seq, order, frame)
            return False
        if order < self.location_order or order == self.known_location_order:
            return False
        self.location_order, self.location_seq = order, seq
        self.lanes.set_location(frame)
        return True

    def stop_holding(self) -> None:
        """Hold back no more events: the log is long, and the replay reads on until no event is missing."""
        self._held = None

    def misses_events_after(self, seq: int, channel_seq: int | None) -> bool:
        """Whether an event between ``seq``, the end of the read, and the channel's last seq was not held back.

        The channel delivered it before this subscription was registered, but it was committed after the read.
        """
        if channel_seq is None or channel_seq <= seq:
            return False
        return not any(held[0] == seq + 1 for held in self._held or ())

    def go_live(self, *, seq: int, location_order: int, min_location_seq: int) -> None:
        """Push the held-back events above ``seq``, the last event that the client has, and go live."""
        self.last_seq = seq
        self.location_order, self.location_seq = location_order, seq
        self.known_location_order = location_order
        self.live = True
        held, self._held = self._held or [], None
        for event in held:
            if self.deliver(*event):
                metrics.deliveries.inc("status")
            if event[2] and event[0] > seq:
                min_location_seq = event[0]
        location = self._held_location
        if location is not None and location[0] >= min_location_seq and self.deliver_location(*location):
            metrics.deliveries.inc("location")
        self._held_location = None

    def send(self, frame: Frame) -> None:
        """Send a frame of this subscription alone, which has its address itself."""
        self.client.send(frame)

    def require_resync(self, seq: int) -> None:
        """Tell the client that its log cannot be replayed."""
        self.send(ResyncRequired(seq=seq, **self.address))

    def disconnect(self, reason: Disconnect) -> None:
        """End the subscription: the client decides what ends with it."""
        self.client.end_subscription(self, reason)
