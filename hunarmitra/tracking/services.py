"""Accepting a worker's location, however it came: judged and stored by one statement, then sent to the watchers."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings

from hunarmitra.accounts.models import User
from hunarmitra.accounts.tokens import Identity
from hunarmitra.bookings import wire
from hunarmitra.bookings.errors import BookingError, NotVisibleError
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


def location_accept(*, booking_id: UUID, identity: Identity, reading: Reading) -> AcceptedLocation | None:
    """Store the location and send it to the watchers; None when it may not be stored.

    One round trip to the database. :func:`location_error` says why one was not stored.
    """
    posted = PostedLocation(
        booking_id=booking_id,
        user_id=identity.user_id,
        session_id=identity.session_id,
        reading=reading,
        received=utc_now(),
    )
    with tracing.span("location_accept"):
        stored = store([posted]).get(booking_id)
    if stored is None:
        return None
    return _publish([(posted, stored)])[0]


def location_error(*, booking_id: UUID, user: User, identity: Identity, reading: Reading) -> LocationError:
    """Return why a location was not accepted, by the booking as it is now."""
    posted = PostedLocation(
        booking_id=booking_id,
        user_id=identity.user_id,
        session_id=identity.session_id,
        reading=reading,
        received=utc_now(),
    )
    booking = Booking.objects.filter(pk=booking_id).first()
    try:
        if booking is None:
            raise NotVisibleError("No such booking.")
        judge(booking, user, posted)
    except (BookingError, TooSoonError) as error:
        return error
    # What forbade it has ended since. The next location will be accepted.
    return TooSoonError(settings.ENVIRONMENT.tracking_min_interval)


def newest_accepted(
    *, booking_id: UUID, user: User, identity: Identity, readings: Sequence[Reading]
) -> AcceptedLocation | LocationError:
    """Accept the newest of several readings; return its error when it may not be stored.

    The others are dropped: there is no history of locations. What forbids the newest forbids the older ones too.
    """
    now = utc_now()
    newest = max(readings, key=lambda reading: min(reading.timestamp or now, now))
    accepted = location_accept(booking_id=booking_id, identity=identity, reading=newest)
    if accepted is None:
        return location_error(booking_id=booking_id, user=user, identity=identity, reading=newest)
    return accepted


def _publish(stored: Sequence[tuple[PostedLocation, StoredLocation]]) -> list[AcceptedLocation]:
    estimates, outgoing = [], []
    for posted, row in stored:
        minutes = None
        if not posted.reading.uncertain:
            minutes = estimated_minutes(
                status=row.status, fixes=row.fixes, site=row.site, received_at=posted.received.timestamp()
            )
        outgoing.append(_message(posted, row, minutes))
        estimates.append(minutes)
    checkpoints.reach("stored, not published")
    listeners: Sequence[int | None] = publish_counted(outgoing).listeners or [None] * len(stored)
    environment = settings.ENVIRONMENT
    intervals = Intervals(environment.tracking_min_interval, environment.tracking_unwatched_interval)
    return [
        AcceptedLocation(
            reading=posted.reading,
            moment=posted.moment,
            eta_minutes=minutes,
            next_in_ms=next_in_ms(intervals, listeners=count, moving=is_moving(row.fixes)),
        )
        for (posted, row), minutes, count in zip(stored, estimates, listeners, strict=True)
    ]


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
