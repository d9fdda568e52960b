"""Accepting a worker's position: one conditional UPDATE decides, on whatever pod it runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

from hunarmitra.accounts.models import User
from hunarmitra.bookings import wire
from hunarmitra.bookings.errors import ConflictError, NotAllowedError, NotVisibleError
from hunarmitra.bookings.models import Booking
from hunarmitra.bookings.selectors import roles_of
from hunarmitra.bookings.services import is_tracked
from hunarmitra.bookings.transitions import BookingRole
from hunarmitra.common import checkpoints
from hunarmitra.common.clock import microseconds_now, to_microseconds, utc_now
from hunarmitra.common.rows import RowReader
from hunarmitra.outbox.publishing import publish_events
from hunarmitra.protocol import channels, messages
from hunarmitra.protocol.frames import encode
from hunarmitra.protocol.statuses import TRACKED, Status
from hunarmitra.telemetry import tracing
from hunarmitra.tracking.eta import Estimate, Position

Estimator = Callable[[Position | None, float | None, Position, tuple[float, float] | None], Estimate]


class TooSoonError(Exception):
    """Another position of the booking was accepted less than the limit ago."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__(f"A position was accepted less than {settings.ENVIRONMENT.tracking_min_interval:g} s ago.")
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True)
class AcceptedPosition:
    """``moment`` is the time the position goes by: its own, but never later than its receipt."""

    lat: float
    lng: float
    moment: datetime


@lru_cache(maxsize=1)
def _estimator() -> Estimator:
    estimator: Estimator = import_string(settings.ENVIRONMENT.eta_estimator)
    return estimator


def position_accept(
    *, booking_id: UUID, user: User, lat: float, lng: float, timestamp: datetime | None
) -> AcceptedPosition:
    """Store the position and send it to the watchers.

    Raises NotVisibleError, NotAllowedError, :class:`TooSoonError`, or ConflictError: ``not_tracked`` unless the
    booking is confirmed, on_the_way or arrived, ``stale_position`` for one older than the last accepted. One of the
    same time is taken: a phone that stands still sends its last fix again, and a request may be repeated.
    """
    booking = _read(booking_id, user)
    received = utc_now()
    _judge(booking, user, received, timestamp)
    current = Position(lat, lng, min(timestamp or received, received))
    estimate = _estimate(booking, current)
    with tracing.span("position_accept"):
        updated = _update(booking, user, current, received, estimate)
    if updated is None:
        # Something changed between the read and the UPDATE: the fresh row tells what.
        _judge(_read(booking_id, user), user, received, timestamp)
        raise TooSoonError(settings.ENVIRONMENT.tracking_min_interval)
    seq, status = updated
    _publish(booking_id, seq, current, user.name, None if status == Status.ARRIVED else estimate.minutes)
    return AcceptedPosition(lat, lng, current.moment)


_JUDGED: Final = RowReader(
    Booking,
    ["id", "owner", "worker", "status", "lat", "lng",
     "location_lat", "location_lng", "location_at", "location_received_at", "location_speed"],
)  # fmt: skip
"""What a position is judged by. Positions are most of the requests there are: the whole booking with its people costs
three times as much to read, and to put this query together each time as much as to answer it."""

_READ: Final = "SELECT {columns} FROM bookings_booking WHERE id = %s"


def _read(booking_id: UUID, user: User) -> Booking:
    key = Booking._meta.get_field("id").get_db_prep_value(booking_id, connection)
    for booking, _ in _JUDGED.read(_READ.format(columns=_JUDGED.columns), [key]):
        if roles_of(booking, user):
            return booking
    raise NotVisibleError("No such booking.")


def _judge(booking: Booking, user: User, received: datetime, timestamp: datetime | None) -> None:
    if not roles_of(booking, user) & {BookingRole.WORKER, BookingRole.STAFF}:
        raise NotAllowedError("Only the assigned worker and staff post positions.")
    if not is_tracked(booking):
        raise ConflictError("not_tracked", f"The booking is {booking.status}; positions are not taken.")
    if booking.location_received_at is not None:
        since = (received - booking.location_received_at).total_seconds()
        interval = settings.ENVIRONMENT.tracking_min_interval
        if since < interval:
            # Another process may have received its position later than this one and accepted it sooner.
            raise TooSoonError(min(interval - since, interval))
    if booking.location_at is not None and min(timestamp or received, received) < booking.location_at:
        raise ConflictError("stale_position", "A later position was accepted already.")


def _estimate(booking: Booking, current: Position) -> Estimate:
    previous = None
    if booking.location_lat is not None and booking.location_lng is not None and booking.location_at is not None:
        previous = Position(booking.location_lat, booking.location_lng, booking.location_at)
    site = None
    if booking.lat is not None and booking.lng is not None:
        site = (float(booking.lat), float(booking.lng))
    estimate = _estimator()(previous, booking.location_speed, current, site)
    if estimate.speed is not None and not math.isfinite(estimate.speed):
        return Estimate(estimate.minutes, None)
    return estimate


_UPDATE = """
UPDATE bookings_booking
SET location_lat = %s, location_lng = %s, location_at = %s, location_received_at = %s, location_speed = %s,
    location_actor = %s, eta_minutes = CASE status WHEN 'arrived' THEN NULL ELSE COALESCE(%s, eta_minutes) END
WHERE id = %s AND status IN ({statuses}) AND (worker_id = %s OR %s)
  AND (location_received_at IS NULL OR location_received_at <= %s)
  AND (location_at IS NULL OR location_at <= %s)
RETURNING seq, status
"""
"""After arrival the ETA is NULL."""


def _update(
    booking: Booking, user: User, current: Position, received: datetime, estimate: Estimate
) -> tuple[int, str] | None:
    """The booking's seq and status at acceptance, or None when the row no longer allows it.

    Raw SQL: the ORM has no RETURNING.
    """
    operations = connection.ops
    field = Booking._meta.get_field("id")

    def moment(value: datetime) -> object:
        return operations.adapt_datetimefield_value(value)

    statuses = ", ".join("%s" for _ in TRACKED)
    latest_previous = received - timedelta(seconds=settings.ENVIRONMENT.tracking_min_interval)
    parameters = [
        current.lat, current.lng, moment(current.moment), moment(received), estimate.speed, user.name,
        estimate.minutes,
        field.get_db_prep_value(booking.pk, connection), *sorted(TRACKED),
        field.get_db_prep_value(user.pk, connection), BookingRole.STAFF in roles_of(booking, user),
        moment(latest_previous), moment(current.moment),
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE.format(statuses=statuses), parameters)
        rows = cursor.fetchall()
    return rows[0] if rows else None


def _publish(booking_id: UUID, seq: int, current: Position, actor: str, eta_minutes: int | None) -> None:
    frame = wire.location_frame(
        booking_id=booking_id,
        lat=current.lat,
        lng=current.lng,
        moment=current.moment,
        actor=actor,
        eta_minutes=eta_minutes,
    )
    message = messages.location_message(
        channels.booking_channel(booking_id), seq=seq, order=to_microseconds(current.moment), frame=encode(frame)
    )
    now = microseconds_now()
    checkpoints.reach("stored, not published")
    publish_events([messages.committed(message, now)])
