"""What the hub reads from the database: whole batches, in threads, never per socket and event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Q

from hunarmitra.accounts.models import User
from hunarmitra.bookings.models import Booking, BookingEvent
from hunarmitra.bookings.wire import status_frame, stored_location_frame
from hunarmitra.common.clock import to_microseconds
from hunarmitra.notifications.models import Notification
from hunarmitra.realtime import groups
from hunarmitra.realtime.events import encode

GROUPS_PER_QUERY = 500
LOGS_PER_QUERY = 100


class Event(NamedTuple):
    """``frame`` is encoded; ``committed_at`` in seconds since 1970, as precisely as the row tells."""

    seq: int
    frame: str
    clears_location: bool
    committed_at: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a group's log is in the database; ``location_order`` in microseconds since 1970, 0 for no position."""

    seq: int
    floor: int = 0
    location_order: int = 0


def standing_of(booking: Booking) -> Standing:
    order = to_microseconds(booking.location_at) if booking.location_at else 0
    return Standing(booking.seq, booking.location_floor_seq, order)


def _booking_event(event: BookingEvent) -> Event:
    return Event(event.seq, encode(status_frame(event)), event.clears_location, event.created_at.timestamp())


def _notification_event(notification: Notification) -> Event:
    return Event(notification.seq, encode(notification.to_frame()), False, notification.created_at.timestamp())


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
            found.update({groups.booking_group(booking.pk): standing_of(booking) for booking in columns})
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
                order = standing_of(booking).location_order
                found[groups.booking_group(booking.pk)] = (booking.seq, order, encode(frame))
    return found
