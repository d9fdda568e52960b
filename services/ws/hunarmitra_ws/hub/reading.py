"""What the hub reads from the database: whole batches, in threads, never per socket and event.

A thread has the interpreter's lock while it makes Python's objects of rows, and then every socket waits. So the two
questions that are asked of thousands of rows are statements written by hand: the ORM takes four times as long for a
page of a replay, and most of it for timestamps, which come as text and are read by ``datetime`` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Q

from hunarmitra.accounts.models import User
from hunarmitra.bookings.models import Booking
from hunarmitra.bookings.wire import status_frame, stored_location_frame
from hunarmitra.common.clock import to_microseconds
from hunarmitra.notifications.models import Notification
from hunarmitra.protocol import channels
from hunarmitra.protocol.frames import encode

_Item = TypeVar("_Item")

GROUPS_PER_QUERY = 500
LOGS_PER_QUERY = 100

_BOOKING_ID: Final = Booking._meta.get_field("id")

_STANDINGS: Final = """
SELECT CAST(id AS text), seq, location_floor_seq, CAST(location_at AS text)
FROM bookings_booking WHERE id IN ({})
"""

_LOGS: Final = """
SELECT CAST(booking_id AS text), seq, status, event_type, actor, eta_minutes, clears_location, CAST(created_at AS text)
FROM bookings_bookingevent WHERE {}
"""
_STRETCH: Final = "(booking_id = %s AND seq > %s AND seq <= %s)"


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

    booking_id: str
    seq: int
    status: str
    event_type: str
    actor: str
    eta_minutes: int | None
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
    return Standing(booking.seq, booking.min_location_seq, order)


def _key(booking: UUID) -> str:
    """As the database has it, and ``CAST(id AS text)`` tells it: SQLite keeps an id without its hyphens."""
    return str(_BOOKING_ID.get_db_prep_value(booking, connection))


def _moment(text: str) -> datetime:
    """Of a time that was cast to text: PostgreSQL's has an offset, SQLite's is UTC without one."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _notification_event(notification: Notification) -> Event:
    created_at = notification.created_at.timestamp()
    return Event(notification.seq, lambda: encode(notification.to_frame()), False, created_at)


def _chunks(items: Sequence[_Item], size: int) -> Iterable[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def standings(names: Sequence[str]) -> dict[str, Standing]:
    """Where each group's log stands; a booking or user that no longer exists is not in the answer."""
    found: dict[str, Standing] = {}
    for chunk in _chunks(names, GROUPS_PER_QUERY):
        bookings = {_key(booking): name for name in chunk if (booking := channels.booking_of(name))}
        users = [user for name in chunk if (user := channels.user_of(name))]
        if bookings:
            found.update(_booking_standings(bookings))
        if users:
            rows = User.objects.filter(pk__in=users).values_list("pk", "notification_seq")
            found.update({channels.user_channel(pk): Standing(seq) for pk, seq in rows})
    return found


def _booking_standings(names: Mapping[str, str]) -> Iterator[tuple[str, Standing]]:
    with connection.cursor() as cursor:
        cursor.execute(_STANDINGS.format(", ".join(["%s"] * len(names))), list(names))
        rows = cursor.fetchall()
    for key, seq, floor, located in rows:
        yield names[key], Standing(seq, floor, to_microseconds(_moment(located)) if located else 0)


def logs(stretches: Iterable[Stretch]) -> dict[str, list[Event]]:
    """For each group the events of its stretches, which may overlap: in order, each once."""
    wanted = list(dict.fromkeys(stretches))
    found: dict[str, dict[int, Event]] = {name: {} for name, _, _ in wanted}
    for chunk in _chunks(wanted, LOGS_PER_QUERY):
        of_bookings = [
            (booking, stretch) for stretch in chunk if (booking := channels.booking_of(stretch.name)) is not None
        ]
        of_users = [(user, stretch) for stretch in chunk if (user := channels.user_of(stretch.name)) is not None]
        if of_bookings:
            _read_bookings(of_bookings, found)
        if of_users:
            _read_users(of_users, found)
    return {name: [events[seq] for seq in sorted(events)] for name, events in found.items()}


def _read_bookings(wanted: Sequence[tuple[UUID, Stretch]], found: Mapping[str, dict[int, Event]]) -> None:
    logs_by_key = {_key(booking): (str(booking), found[stretch.name]) for booking, stretch in wanted}
    parameters = [value for booking, stretch in wanted for value in (_key(booking), stretch.after, stretch.upto)]
    with connection.cursor() as cursor:
        cursor.execute(_LOGS.format(" OR ".join([_STRETCH] * len(wanted))), parameters)
        rows = cursor.fetchall()
    for key, seq, status, event_type, actor, eta_minutes, clears_location, created in rows:
        booking_id, events = logs_by_key[key]
        created_at = _moment(created)
        row = _LogRow(booking_id, seq, status, event_type, actor, eta_minutes, created_at)
        events[seq] = Event(seq, row.encoded, clears_location, created_at.timestamp())


def _read_users(wanted: Sequence[tuple[UUID, Stretch]], found: Mapping[str, dict[int, Event]]) -> None:
    stretches = Q()
    for user, stretch in wanted:
        stretches |= Q(user_id=user, seq__gt=stretch.after, seq__lte=stretch.upto)
    for notification in Notification.objects.filter(stretches):
        found[channels.user_channel(notification.user_id)][notification.seq] = _notification_event(notification)


def page(name: str, after: int, most: int) -> tuple[Standing | None, list[Event]]:
    """Where the log stands, None for a group that no longer exists, and the first ``most`` events after ``after``."""
    standing = standings([name]).get(name)
    upto = after if standing is None else min(after + most, standing.seq)
    return standing, logs([Stretch(name, after, upto)])[name] if upto > after else []


def locations(names: Sequence[str]) -> dict[str, tuple[int, int, str]]:
    """For each booking's group the last position: the booking's ``seq``, its order, its frame."""
    found = {}
    for chunk in _chunks(names, GROUPS_PER_QUERY):
        for booking in Booking.objects.filter(pk__in=[channels.booking_of(name) for name in chunk]):
            frame = stored_location_frame(booking)
            if frame is not None:
                order = standing_of(booking).location_order
                found[channels.booking_channel(booking.pk)] = (booking.seq, order, encode(frame))
    return found
