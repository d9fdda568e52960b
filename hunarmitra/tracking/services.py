"""Accept a worker's location, from REST or from a connection: one statement stores it, then it is published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from django.conf import settings

from hunarmitra.accounts.models import User
from hunarmitra.accounts.selectors import user_of_session
from hunarmitra.accounts.tokens import Identity
from hunarmitra.bookings import wire
from hunarmitra.bookings.errors import BookingError, NotAllowedError, NotVisibleError
from hunarmitra.bookings.eta import estimated_minutes
from hunarmitra.bookings.models import Booking
from hunarmitra.common import checkpoints
from hunarmitra.common.clock import microseconds_now, to_microseconds, utc_now
from hunarmitra.locations.estimate import is_moving
from hunarmitra.outbox.publishing import publish_counted
from hunarmitra.protocol import channels, messages
from hunarmitra.protocol.frames import encode
from hunarmitra.protocol.messages import Message
from hunarmitra.telemetry import tracing
from hunarmitra.tracking.judging import TooSoonError, judge
from hunarmitra.tracking.locations import AcceptedLocation, PostedLocation, Reading, StoredLocation
from hunarmitra.tracking.pace import Intervals, next_in_ms
from hunarmitra.tracking.storing import store

LocationError = BookingError | TooSoonError

CountWatchers = Callable[[UUID, int | None], int | None]
"""Return the number of watchers of a booking, given the number of processes that listen; see :func:`next_in_ms`."""


def _all_watch(booking_id: UUID, listeners: int | None) -> int | None:
    return listeners


def location_accept(*, booking_id: UUID, identity: Identity, reading: Reading) -> AcceptedLocation | None:
    """Store the location and send it to the watchers; return None if it must not be stored.

    This takes one round trip to the database. :func:`location_error` returns the reason of a rejection.
    """
    posted = _received_now(booking_id, identity, reading)
    with tracing.span("location_accept"):
        stored = store([posted]).get(booking_id)
    if stored is None:
        return None
    return _publish([(posted, stored)], _all_watch)[0]


def _received_now(booking_id: UUID, identity: Identity, reading: Reading) -> PostedLocation:
    return PostedLocation(
        booking_id=booking_id,
        user_id=identity.user_id,
        session_id=identity.session_id,
        reading=reading,
        received=utc_now(),
    )


def locations_accept(
    batch: Sequence[PostedLocation], count_watchers: CountWatchers = _all_watch
) -> dict[UUID, AcceptedLocation | LocationError]:
    """Accept many locations with one statement and one publish; return the result of each, by booking.

    A booking has at most one location in the batch. A location that the statement did not store is accepted or
    rejected separately: it was not allowed, or its booking was locked.
    """
    stored = store(batch)
    found: dict[UUID, AcceptedLocation | LocationError] = {}
    if stored:
        pairs = [(posted, stored[posted.booking_id]) for posted in batch if posted.booking_id in stored]
        accepted = _publish(pairs, count_watchers)
        found |= {posted.booking_id: answer for (posted, _), answer in zip(pairs, accepted, strict=True)}
    for posted in batch:
        if posted.booking_id not in found:
            found[posted.booking_id] = _accept_alone(posted, count_watchers)
    return found


def _accept_alone(posted: PostedLocation, count_watchers: CountWatchers) -> AcceptedLocation | LocationError:
    user = user_of_session(Identity(posted.user_id, posted.session_id, posted.received))
    if user is None:
        return NotAllowedError("The session has ended.")
    error = _error(posted, user)
    if error is not None:
        return error
    stored = store([posted])
    if not stored:
        return _error(posted, user) or TooSoonError(settings.ENVIRONMENT.tracking_min_interval)
    return _publish([(posted, stored[posted.booking_id])], count_watchers)[0]


def location_error(*, booking_id: UUID, user: User, identity: Identity, reading: Reading) -> LocationError:
    """Return why a location was not accepted, according to the booking's current state."""
    posted = _received_now(booking_id, identity, reading)
    # If there is no error any more, the reason has ended meanwhile: the next location will be accepted.
    return _error(posted, user) or TooSoonError(settings.ENVIRONMENT.tracking_min_interval)


def _error(posted: PostedLocation, user: User) -> LocationError | None:
    booking = Booking.objects.filter(pk=posted.booking_id).first()
    try:
        if booking is None:
            raise NotVisibleError("No such booking.")
        judge(booking, user, posted)
    except (BookingError, TooSoonError) as error:
        return error
    return None


def newest_accepted(
    *, booking_id: UUID, user: User, identity: Identity, readings: Sequence[Reading]
) -> AcceptedLocation | LocationError:
    """Accept the newest of several readings; return its error if it must not be stored.

    The others are dropped, because the system keeps no history of locations. The reason to reject the newest reading
    applies to the older ones too.
    """
    now = utc_now()
    newest = max(readings, key=lambda reading: min(reading.timestamp or now, now))
    accepted = location_accept(booking_id=booking_id, identity=identity, reading=newest)
    if accepted is None:
        return location_error(booking_id=booking_id, user=user, identity=identity, reading=newest)
    return accepted


def _publish(
    stored: Sequence[tuple[PostedLocation, StoredLocation]], count_watchers: CountWatchers
) -> list[AcceptedLocation]:
    estimates, outgoing = [], []
    for posted, row in stored:
        minutes = row.stated_minutes
        if not posted.reading.uncertain:
            minutes = (
                estimated_minutes(
                    status=row.status, fixes=row.fixes, site=row.site, received_at=posted.received.timestamp()
                )
                or minutes
            )
        outgoing.append(_message(posted, row, minutes))
        estimates.append(minutes)
    checkpoints.reach("stored, not published")
    listeners: Sequence[int | None] = publish_counted(outgoing).listeners or [None] * len(stored)
    environment = settings.ENVIRONMENT
    intervals = Intervals(environment.tracking_min_interval, environment.tracking_unwatched_interval)
    accepted = []
    for (posted, row), minutes, count in zip(stored, estimates, listeners, strict=True):
        watchers = count_watchers(posted.booking_id, count)
        # Without watchers the pace does not depend on the movement. Computing it costs as much as an estimate.
        moving = watchers != 0 and is_moving(row.fixes)
        pace = next_in_ms(intervals, listeners=watchers, moving=moving)
        accepted.append(
            AcceptedLocation(reading=posted.reading, moment=posted.moment, eta_minutes=minutes, next_in_ms=pace)
        )
    return accepted


def _message(posted: PostedLocation, row: StoredLocation, minutes: int | None) -> Message:
    reading = posted.reading
    frame = wire.location_frame(
        booking_id=posted.booking_id,
        lat=reading.lat,
        lng=reading.lng,
        moment=posted.moment,
        actor=row.actor,
        eta_minutes=minutes,
        accuracy=reading.accuracy,
        heading=reading.heading,
        speed=reading.speed,
    )
    message = messages.location_message(
        channels.booking_channel(posted.booking_id),
        seq=row.seq,
        order=to_microseconds(posted.moment),
        frame=encode(frame),
    )
    return messages.committed(message, microseconds_now())
