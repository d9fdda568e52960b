"""The hub's database reads: whole batches, in threads, never one query for each connection or event.

Building objects from rows holds the GIL and stalls the event loop. So the two reads that may return thousands of rows
use handwritten SQL. The ORM takes four times as long for a page of a replay, mostly for timestamps; here the database
returns timestamps as text, and ``datetime.fromisoformat`` parses them.
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

CHANNELS_PER_QUERY = 500
LOGS_PER_QUERY = 100

_BOOKING_ID: Final = Booking._meta.get_field("id")

_STATES: Final = """
SELECT CAST(id AS text), seq, location_floor_seq, CAST(location_at AS text)
FROM bookings_booking WHERE id IN ({})
"""

_LOGS: Final = """
SELECT CAST(booking_id AS text), seq, status, event_type, actor, eta_minutes, clears_location, CAST(created_at AS text)
FROM bookings_bookingevent WHERE {}
"""
_RANGE: Final = "(booking_id = %s AND seq > %s AND seq <= %s)"


class Event:
    """A row of a log. ``committed_at`` is in seconds since 1970; ``encoded`` returns the frame's text.

    The text is made at the first access, on the event loop, a few events at a time. A thread that encoded a whole page
    would hold the GIL and delay every connection.
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
        """The frame's text, encoded once for all subscriptions."""
        if self._frame is None:
            self._frame = self._encoded()
        return self._frame


class _LogRow(NamedTuple):
    """The columns of a booking event that its frame needs; a model instance costs several times as much."""

    booking_id: str
    seq: int
    status: str
    event_type: str
    actor: str
    eta_minutes: int | None
    created_at: datetime

    def encoded(self) -> str:
        return encode(status_frame(self))


class LogRange(NamedTuple):
    """The events ``after < seq <= upto`` of a channel's log."""

    name: str
    after: int
    upto: int


@dataclass(frozen=True, slots=True)
class ChannelState:
    """A channel's numbers in the database; ``location_order`` in microseconds since 1970, 0 without a location."""

    seq: int
    min_location_seq: int = 0
    location_order: int = 0


def state_of(booking: Booking) -> ChannelState:
    order = to_microseconds(booking.location_at) if booking.location_at else 0
    return ChannelState(booking.seq, booking.min_location_seq, order)


def _key(booking: UUID) -> str:
    """Return the id as ``CAST(id AS text)`` returns it: SQLite stores ids without hyphens."""
    return str(_BOOKING_ID.get_db_prep_value(booking, connection))


def _moment(text: str) -> datetime:
    """Parse a timestamp that was cast to text: PostgreSQL's has an offset, SQLite's is UTC without one."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _notification_event(notification: Notification) -> Event:
    created_at = notification.created_at.timestamp()
    return Event(notification.seq, lambda: encode(notification.to_frame()), False, created_at)


def _chunks(items: Sequence[_Item], size: int) -> Iterable[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def channel_states(names: Sequence[str]) -> dict[str, ChannelState]:
    """Return each channel's state; a deleted booking or user is missing from the result."""
    found: dict[str, ChannelState] = {}
    for chunk in _chunks(names, CHANNELS_PER_QUERY):
        bookings = {_key(booking): name for name in chunk if (booking := channels.booking_of(name))}
        users = [user for name in chunk if (user := channels.user_of(name))]
        if bookings:
            found.update(_booking_states(bookings))
        if users:
            rows = User.objects.filter(pk__in=users).values_list("pk", "notification_seq")
            found.update({channels.user_channel(pk): ChannelState(seq) for pk, seq in rows})
    return found


def _booking_states(names: Mapping[str, str]) -> Iterator[tuple[str, ChannelState]]:
    with connection.cursor() as cursor:
        cursor.execute(_STATES.format(", ".join(["%s"] * len(names))), list(names))
        rows = cursor.fetchall()
    for key, seq, min_location_seq, located in rows:
        yield names[key], ChannelState(seq, min_location_seq, to_microseconds(_moment(located)) if located else 0)


def read_logs(ranges: Iterable[LogRange]) -> dict[str, list[Event]]:
    """Return each channel's events within its ranges, in order, each once. Ranges may overlap."""
    wanted = list(dict.fromkeys(ranges))
    found: dict[str, dict[int, Event]] = {name: {} for name, _, _ in wanted}
    for chunk in _chunks(wanted, LOGS_PER_QUERY):
        of_bookings = [
            (booking, log_range) for log_range in chunk if (booking := channels.booking_of(log_range.name)) is not None
        ]
        of_users = [(user, log_range) for log_range in chunk if (user := channels.user_of(log_range.name)) is not None]
        if of_bookings:
            _read_bookings(of_bookings, found)
        if of_users:
            _read_users(of_users, found)
    return {name: [events[seq] for seq in sorted(events)] for name, events in found.items()}


def _read_bookings(wanted: Sequence[tuple[UUID, LogRange]], found: Mapping[str, dict[int, Event]]) -> None:
    logs_by_key = {_key(booking): (str(booking), found[log_range.name]) for booking, log_range in wanted}
    parameters = [value for booking, log_range in wanted for value in (_key(booking), log_range.after, log_range.upto)]
    with connection.cursor() as cursor:
        cursor.execute(_LOGS.format(" OR ".join([_RANGE] * len(wanted))), parameters)
        rows = cursor.fetchall()
    for key, seq, status, event_type, actor, eta_minutes, clears_location, created in rows:
        booking_id, events = logs_by_key[key]
        created_at = _moment(created)
        row = _LogRow(booking_id, seq, status, event_type, actor, eta_minutes, created_at)
        events[seq] = Event(seq, row.encoded, clears_location, created_at.timestamp())


def _read_users(wanted: Sequence[tuple[UUID, LogRange]], found: Mapping[str, dict[int, Event]]) -> None:
    ranges = Q()
    for user, log_range in wanted:
        ranges |= Q(user_id=user, seq__gt=log_range.after, seq__lte=log_range.upto)
    for notification in Notification.objects.filter(ranges):
        found[channels.user_channel(notification.user_id)][notification.seq] = _notification_event(notification)


def read_page(name: str, after: int, most: int) -> tuple[ChannelState | None, list[Event]]:
    """Return the channel's state (None if it was deleted) and at most ``most`` events after ``after``."""
    state = channel_states([name]).get(name)
    upto = after if state is None else min(after + most, state.seq)
    return state, read_logs([LogRange(name, after, upto)])[name] if upto > after else []


def stored_locations(names: Sequence[str]) -> dict[str, tuple[int, int, str]]:
    """Return, for each booking's channel with a stored location: the booking's seq, the location's order and frame."""
    found = {}
    for chunk in _chunks(names, CHANNELS_PER_QUERY):
        for booking in Booking.objects.filter(pk__in=[channels.booking_of(name) for name in chunk]):
            frame = stored_location_frame(booking)
            if frame is not None:
                order = state_of(booking).location_order
                found[channels.booking_channel(booking.pk)] = (booking.seq, order, encode(frame))
    return found
