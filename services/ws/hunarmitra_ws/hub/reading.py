"""What the hub reads from the database: whole batches, in threads, never per socket and event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeVar
from uuid import UUID

from django.db.models import Q

from hunarmitra.accounts.models import User
from hunarmitra.bookings.models import Booking, BookingEvent
from hunarmitra.bookings.wire import status_frame, stored_location_frame
from hunarmitra.common.clock import to_microseconds
from hunarmitra.notifications.models import Notification
from hunarmitra.realtime import groups
from hunarmitra.realtime.events import encode

_Item = TypeVar("_Item")

GROUPS_PER_QUERY = 500
LOGS_PER_QUERY = 100


class Event:
    """``committed_at`` in seconds since 1970, as precisely as the row tells. ``encoded`` makes the frame's text.

    It is made when it is first asked for, which is on the event loop and a few at a time: a thread that makes a page
    of them has the interpreter's lock whenever a write gives it away, and delays every other socket.
    """

    __slots__ = ("_encoded", "_frame", "clears_location", "committed_at", "seq")

    def __init__(self, seq: int, encoded: Callable[[], str], clears_location: bool, committed_at: float) -> None:
        self.seq = seq
        self.clears_location = clears_location
        self.committed_at = committed_at
        self._encoded = encoded
        self._frame: str | None = None

    @property
    def frame(self) -> str:
        """The same text for all sockets that it is sent to."""
        if self._frame is None:
            self._frame = self._encoded()
        return self._frame


class _LogRow(NamedTuple):
    """Of a booking's log what a frame is made of: an instance of the model costs several times as much."""

    seq: int
    booking_id: UUID
    status: str
    event_type: str
    actor: str
    eta_minutes: int | None
    clears_location: bool
    created_at: datetime

    def encoded(self) -> str:
        return encode(status_frame(self))


class Stretch(NamedTuple):
    """Of a group's log the events ``after < seq <= upto``."""

    name: str
    after: int
    upto: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a group's log is in the database; ``location_order`` in microseconds since 1970, 0 for no position."""

    seq: int
    floor: int = 0
    location_order: int = 0


def standing_of(booking: Booking) -> Standing:
    order = to_microseconds(booking.location_at) if booking.location_at else 0
    return Standing(booking.seq, booking.location_floor_seq, order)


def _booking_event(row: _LogRow) -> Event:
    return Event(row.seq, row.encoded, row.clears_location, row.created_at.timestamp())


def _notification_event(notification: Notification) -> Event:
    created_at = notification.created_at.timestamp()
    return Event(notification.seq, lambda: encode(notification.to_frame()), False, created_at)


def _chunks(items: Sequence[_Item], size: int) -> Iterable[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


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


def logs(stretches: Iterable[Stretch]) -> dict[str, list[Event]]:
    """For each group the events of its stretches, which may overlap: in order, each once."""
    wanted = list(dict.fromkeys(stretches))
    found: dict[str, dict[int, Event]] = {name: {} for name, _, _ in wanted}
    for chunk in _chunks(wanted, LOGS_PER_QUERY):
        of_bookings, of_users = Q(), Q()
        for name, after, upto in chunk:
            if booking := groups.booking_of(name):
                of_bookings |= Q(booking_id=booking, seq__gt=after, seq__lte=upto)
            elif user := groups.user_of(name):
                of_users |= Q(user_id=user, seq__gt=after, seq__lte=upto)
        if of_bookings:
            columns = BookingEvent.objects.filter(of_bookings).order_by().values_list(*_LogRow._fields)
            for row in map(_LogRow._make, columns):
                found[groups.booking_group(row.booking_id)][row.seq] = _booking_event(row)
        if of_users:
            for notification in Notification.objects.filter(of_users):
                found[groups.user_group(notification.user_id)][notification.seq] = _notification_event(notification)
    return {name: [events[seq] for seq in sorted(events)] for name, events in found.items()}


def page(name: str, after: int, most: int) -> tuple[Standing | None, list[Event]]:
    """Where the log stands, None for a group that no longer exists, and the first ``most`` events after ``after``."""
    standing = standings([name]).get(name)
    upto = after if standing is None else min(after + most, standing.seq)
    return standing, logs([Stretch(name, after, upto)])[name] if upto > after else []


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
