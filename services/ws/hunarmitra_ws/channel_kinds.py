"""The kinds of channels: a booking's events and locations, and the user's notifications.

A kind decides the channel's name, the first frame, and the client messages that only it understands.
"""

from __future__ import annotations

from typing import Final, Protocol
from uuid import UUID

from django.conf import settings

from hunarmitra.common.clock import to_wire, utc_now
from hunarmitra.notifications.selectors import unread_count
from hunarmitra.notifications.services import notification_mark_read
from hunarmitra.protocol import channels
from hunarmitra.protocol.frames import OMIT, BookingConnected, Error, Frame, MarkedRead, NotificationsConnected
from hunarmitra.tracking.judging import ONLY_SENDERS, SENDERS
from hunarmitra.tracking.readings import InvalidReadingError, reading_from
from hunarmitra_ws.client_messages import ClientMessage, ClientMessageError, MarkRead, PostLocation
from hunarmitra_ws.hub.hub import Hub
from hunarmitra_ws.hub.join_reader import Snapshot
from hunarmitra_ws.hub.subscription import Subscription


class ChannelKind(Protocol):
    """``booking_id`` is None for notifications, and for a booking whose id is not a UUID."""

    kind: str
    booking_id: UUID | None

    def channel_name(self, user_id: UUID) -> str: ...

    def first_frame(self, snapshot: Snapshot, subscription: Subscription, replay: int, heartbeat: float) -> Frame:
        """Return the first frame: ``replay`` events follow; ``heartbeat`` is in seconds."""
        ...

    async def handle(self, message: ClientMessage, subscription: Subscription, hub: Hub) -> None:
        """Handle a message that is not common to all channels. Raises ClientMessageError."""
        ...


class BookingKind:
    """One booking; ``booking_id`` is None for an id that is not a UUID."""

    __slots__ = ("booking_id",)
    kind = "booking"

    def __init__(self, booking_id: UUID | None) -> None:
        self.booking_id = booking_id

    def channel_name(self, user_id: UUID) -> str:
        # For an id that is not a UUID, the channel of no booking: the join answers as for an unknown booking.
        return channels.booking_channel(self.booking_id or UUID(int=0))

    def first_frame(self, snapshot: Snapshot, subscription: Subscription, replay: int, heartbeat: float) -> Frame:
        return BookingConnected(
            booking_id=str(self.booking_id),
            seq=snapshot.state.seq,
            status=snapshot.status,
            location=snapshot.location.to_wire() if snapshot.location else None,
            replay=replay,
            heartbeat_seconds=whole(heartbeat),
            expires_at=to_wire(subscription.client.identity.expires_at),
            server_time=to_wire(utc_now()),
        )

    async def handle(self, message: ClientMessage, subscription: Subscription, hub: Hub) -> None:
        if not isinstance(message, PostLocation):
            raise ClientMessageError("unknown_type", "This type of message is not known here.")
        try:
            reading = reading_from(message.keys, now=utc_now(), max_future=settings.ENVIRONMENT.tracking_max_future)
        except InvalidReadingError as error:
            self._refuse(message, subscription, "invalid_message", str(error))
            return
        # In the batch, a client that may only watch would take the place of the worker's location, and cost queries.
        if subscription.roles & SENDERS:
            hub.post_location(subscription, reading, message.id)
        else:
            self._refuse(message, subscription, "not_allowed", ONLY_SENDERS)

    @staticmethod
    def _refuse(message: PostLocation, subscription: Subscription, code: str, reason: str) -> None:
        identifier = OMIT if message.id is None else message.id
        subscription.send(Error(code=code, message=reason, id=identifier, **subscription.address))


class NotificationsKind:
    """The user's notifications."""

    __slots__ = ()
    kind = "notifications"
    booking_id: UUID | None = None

    def channel_name(self, user_id: UUID) -> str:
        return channels.user_channel(user_id)

    def first_frame(self, snapshot: Snapshot, subscription: Subscription, replay: int, heartbeat: float) -> Frame:
        return NotificationsConnected(
            seq=snapshot.state.seq,
            unread=snapshot.unread,
            replay=replay,
            heartbeat_seconds=whole(heartbeat),
            expires_at=to_wire(subscription.client.identity.expires_at),
            server_time=to_wire(utc_now()),
            **subscription.address,
        )

    async def handle(self, message: ClientMessage, subscription: Subscription, hub: Hub) -> None:
        if not isinstance(message, MarkRead):
            raise ClientMessageError("unknown_type", "This type of message is not known here.")
        unread = await hub.run(_mark_read, subscription.client.identity.user_id, message.id)
        if unread is None:
            raise ClientMessageError("not_found", "You have no notification of this id.")
        subscription.send(MarkedRead(id=message.id.lower(), unread=unread, **subscription.address))


NOTIFICATIONS_KIND: Final = NotificationsKind()
"""It has no state: one for all."""


def kind_of(subscription: Subscription) -> ChannelKind:
    """Return the kind of a subscription's channel: nobody is subscribed to a booking whose id is not a UUID."""
    return NOTIFICATIONS_KIND if subscription.booking_id is None else BookingKind(subscription.booking_id)


def parse_uuid(text: str) -> UUID | None:
    """Parse the canonical form only; ``UUID()`` would also accept braces and URNs."""
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text.lower() else None


def whole(seconds: float) -> float:
    """Return whole seconds as an integer, for the wire."""
    return int(seconds) if seconds == int(seconds) else seconds


def _mark_read(user_id: UUID, text: str) -> int | None:
    """Return the number of unread notifications left, or None if the user has no such notification."""
    notification_id = parse_uuid(text)
    if notification_id is None or notification_mark_read(user_id=user_id, notification_id=notification_id) is None:
        return None
    return unread_count(user_id)
