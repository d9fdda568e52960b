"""What the hub and joining sockets read from the database: whole batches, in threads, never per socket and event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from hunarmitra.accounts.models import Role, User
from hunarmitra.accounts.selectors import user_of_session
from hunarmitra.accounts.tokens import Identity
from hunarmitra.bookings.models import Booking, BookingEvent
from hunarmitra.bookings.selectors import events_after, parts_of
from hunarmitra.bookings.transitions import Part
from hunarmitra.bookings.wire import status_frame, stored_location_frame
from hunarmitra.common import checkpoints
from hunarmitra.common.clock import to_microseconds
from hunarmitra.notifications.models import Notification
from hunarmitra.notifications.selectors import notifications_after, unread_count
from hunarmitra.realtime import groups
from hunarmitra.realtime.close_codes import CloseCode
from hunarmitra.realtime.events import LocationUpdated, encode

GROUPS_PER_QUERY = 500
LOGS_PER_QUERY = 100

Event = tuple[int, str, bool]
"""``seq``, the encoded frame, and whether it clears the location."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a group's log is in the database; ``location_order`` in microseconds since 1970, 0 for no position."""

    seq: int
    floor: int = 0
    location_order: int = 0


@dataclass(frozen=True, slots=True)
class RejectedError(Exception):
    """Why a socket may not join: the close code, and the error frame's code and message."""

    close: CloseCode
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Joined:
    """What a joining socket is told. ``events`` is None when the log cannot be replayed from ``since``."""

    standing: Standing
    parts: frozenset[Part]
    events: Sequence[Event] | None
    status: str = ""
    location: LocationUpdated | None = None
    unread: int = 0


UNAUTHENTICATED = RejectedError(
    CloseCode.UNAUTHENTICATED, "unauthenticated", "The token is missing, invalid or revoked."
)


def _user(identity: Identity) -> User:
    user = user_of_session(identity)
    if user is None:
        raise UNAUTHENTICATED
    return user


def session_is_valid(identity: Identity) -> bool:
    return user_of_session(identity) is not None


def _standing(booking: Booking) -> Standing:
    order = to_microseconds(booking.location_at) if booking.location_at else 0
    return Standing(booking.seq, booking.location_floor_seq, order)


def join_booking(identity: Identity, booking_id: UUID | None, since: int | None, most_events: int) -> Joined:
    """Authorize, then the snapshot and the log after ``since``. Raises :class:`RejectedError`.

    The booking's row is read before its events: those up to its ``seq`` were committed with it.
    """
    user = _user(identity)
    checkpoints.reach("session read, not its booking")
    booking = Booking.objects.filter(pk=booking_id).first() if booking_id else None
    if booking is None:
        if user.effective_role == Role.ADMIN:
            raise RejectedError(CloseCode.NOT_FOUND, "not_found", "There is no such booking.")
        raise RejectedError(CloseCode.FORBIDDEN, "forbidden", "You may not watch this booking.")
    parts = parts_of(booking, user)
    if not parts:
        raise RejectedError(CloseCode.FORBIDDEN, "forbidden", "You may not watch this booking.")
    checkpoints.reach("booking read, not its log")
    events: Sequence[Event] | None = ()
    if since is not None:
        log = [event for event in events_after(booking.pk, since)[: most_events + 1] if event.seq <= booking.seq]
        events = _complete([_booking_event(event) for event in log], since, booking.seq, most_events)
    return Joined(
        standing=_standing(booking),
        parts=parts,
        events=events,
        status=booking.status,
        location=stored_location_frame(booking),
    )


def join_notifications(identity: Identity, since: int | None, most_events: int) -> Joined:
    """Raises :class:`RejectedError`."""
    user = _user(identity)
    seq = user.notification_seq
    checkpoints.reach("user read, not the notifications")
    events: Sequence[Event] | None = ()
    if since is not None:
        log = [row for row in notifications_after(user.pk, since)[: most_events + 1] if row.seq <= seq]
        events = _complete([_notification_event(row) for row in log], since, seq, most_events)
    return Joined(standing=Standing(seq), parts=frozenset(), events=events, unread=unread_count(user.pk))


def _complete(events: Sequence[Event], since: int, seq: int, most_events: int) -> Sequence[Event] | None:
    """None unless these are exactly the events after ``since`` (from the future, pruned, too many: no replay)."""
    if since > seq or len(events) != seq - since or len(events) > most_events:
        return None
    return events


def _booking_event(event: BookingEvent) -> Event:
    return event.seq, encode(status_frame(event)), event.clears_location


def _notification_event(notification: Notification) -> Event:
    return notification.seq, encode(notification.to_frame()), False


def _chunks(names: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (names[start : start + size] for start in range(0, len(names), size))


def standings(names: Sequence[str]) -> dict[str, Standing]:
    """Where each group's log stands; a booking or user that no longer exists is not in the answer."""
    found: dict[str, Standing] = {}
    for chunk in _chunks(names, GROUPS_PER_QUERY):
        bookings = [booking for name in chunk if (booking := groups.booking_of(name))]
        users = [user for name in chunk if (user := groups.user_of(name))]
        if bookings:
            columns = Booking.objects.only("seq", "location_floor_seq", "location_at").filter(pk__in=bookings)
            found.update({groups.booking_group(booking.pk): _standing(booking) for booking in columns})
        if users:
            rows = User.objects.filter(pk__in=users).values_list("pk", "notification_seq")
            found.update({groups.user_group(pk): Standing(seq) for pk, seq in rows})
    return found


def logs_after(positions: Mapping[str, int]) -> dict[str, list[Event]]:
    """For each group the events after its ``seq``, in order."""
    found: dict[str, list[Event]] = {name: [] for name in positions}
    for chunk in _chunks(list(positions), LOGS_PER_QUERY):
        of_bookings, of_users = Q(), Q()
        for name in chunk:
            if booking := groups.booking_of(name):
                of_bookings |= Q(booking_id=booking, seq__gt=positions[name])
            elif user := groups.user_of(name):
                of_users |= Q(user_id=user, seq__gt=positions[name])
        if of_bookings:
            for event in BookingEvent.objects.filter(of_bookings).order_by("seq"):
                found[groups.booking_group(event.booking_id)].append(_booking_event(event))
        if of_users:
            for row in Notification.objects.filter(of_users).order_by("seq"):
                found[groups.user_group(row.user_id)].append(_notification_event(row))
    return found


def locations(names: Sequence[str]) -> dict[str, tuple[int, int, str]]:
    """For each booking's group the last position: the booking's ``seq``, its order, its frame."""
    found = {}
    for chunk in _chunks(names, GROUPS_PER_QUERY):
        for booking in Booking.objects.filter(pk__in=[groups.booking_of(name) for name in chunk]):
            frame = stored_location_frame(booking)
            if frame is not None:
                order = _standing(booking).location_order
                found[groups.booking_group(booking.pk)] = (booking.seq, order, encode(frame))
    return found
