"""The two streams a socket can open: a booking's, or the user's notifications.

What differs between them is here: the group, what is read at the join, the first frame, and the messages that a
client may send beyond the common ones.
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from hunarmitra.accounts.tokens import Identity
from hunarmitra.common.clock import to_wire, utc_now
from hunarmitra.notifications.selectors import unread_count
from hunarmitra.notifications.services import notification_mark_read
from hunarmitra.protocol import channels
from hunarmitra.protocol.frames import BookingConnected, Frame, MarkedRead, NotificationsConnected
from hunarmitra_ws.client_messages import ClientMessage, ClientMessageError, MarkRead
from hunarmitra_ws.hub.database_threads import DatabaseThreads
from hunarmitra_ws.hub.joining import Joined
from hunarmitra_ws.hub.sockets import Socket


def parse_uuid(text: str) -> UUID | None:
    """Only the canonical form: ``UUID()`` would also take braces and URNs."""
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text.lower() else None


class Stream(Protocol):
    """``booking_id`` is None for the notifications, and for a booking whose id in the URL is no UUID."""

    kind: str
    booking_id: UUID | None

    def group(self, identity: Identity) -> str: ...

    def first_frame(self, joined: Joined, socket: Socket, replay: int, heartbeat: float) -> Frame: ...

    async def handle(self, message: ClientMessage, socket: Socket, threads: DatabaseThreads) -> None:
        """A message that not every stream knows. Raises ClientMessageError."""
        ...


def _whole(seconds: float) -> float:
    return int(seconds) if seconds == int(seconds) else seconds


class BookingStream:
    __slots__ = ("booking_id",)
    kind = "booking"

    def __init__(self, url_id: str) -> None:
        self.booking_id = parse_uuid(url_id)

    def group(self, identity: Identity) -> str:
        # A name that no booking has, where the id is no UUID: the join then tells what it tells of unknown ones.
        return channels.booking_channel(self.booking_id or UUID(int=0))

    def first_frame(self, joined: Joined, socket: Socket, replay: int, heartbeat: float) -> Frame:
        return BookingConnected(
            booking_id=str(self.booking_id),
            seq=joined.standing.seq,
            status=joined.status,
            location=joined.location.to_wire() if joined.location else None,
            replay=replay,
            heartbeat_seconds=_whole(heartbeat),
            expires_at=to_wire(socket.expires_at),
            server_time=to_wire(utc_now()),
        )

    async def handle(self, message: ClientMessage, socket: Socket, threads: DatabaseThreads) -> None:
        raise ClientMessageError("unknown_type", "This type of message is not known here.")


class NotificationStream:
    kind = "notifications"
    booking_id: UUID | None = None

    def group(self, identity: Identity) -> str:
        return channels.user_channel(identity.user_id)

    def first_frame(self, joined: Joined, socket: Socket, replay: int, heartbeat: float) -> Frame:
        return NotificationsConnected(
            seq=joined.standing.seq,
            unread=joined.unread,
            replay=replay,
            heartbeat_seconds=_whole(heartbeat),
            expires_at=to_wire(socket.expires_at),
            server_time=to_wire(utc_now()),
        )

    async def handle(self, message: ClientMessage, socket: Socket, threads: DatabaseThreads) -> None:
        if not isinstance(message, MarkRead):
            raise ClientMessageError("unknown_type", "This type of message is not known here.")
        unread = await threads.run(_mark_read, socket.user_id, message.id)
        if unread is None:
            raise ClientMessageError("not_found", "You have no notification of this id.")
        socket.send(MarkedRead(id=message.id.lower(), unread=unread))


def _mark_read(user_id: UUID, text: str) -> int | None:
    """The number of unread ones left, or None when the user has no such notification."""
    notification_id = parse_uuid(text)
    if notification_id is None or notification_mark_read(user_id=user_id, notification_id=notification_id) is None:
        return None
    return unread_count(user_id)
