"""Rows of bookings as frames of the catalogue."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from hunarmitra.bookings.eta import eta_minutes
from hunarmitra.common.clock import to_wire, utc_now
from hunarmitra.locations.fixes import is_uncertain
from hunarmitra.protocol.frames import OMIT, BookingStatusChanged, LocationUpdated

if TYPE_CHECKING:
    from hunarmitra.bookings.models import Booking


class LoggedEvent(Protocol):
    """A ``BookingEvent``, or what of it was read."""

    @property
    def booking_id(self) -> Any: ...
    @property
    def status(self) -> str: ...
    @property
    def event_type(self) -> str: ...
    @property
    def actor(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def seq(self) -> int: ...
    @property
    def eta_minutes(self) -> int | None: ...


def status_frame(event: LoggedEvent, *, ack: bool = False) -> BookingStatusChanged:
    return BookingStatusChanged(
        booking_id=str(event.booking_id),
        status=event.status,
        event_type=event.event_type,
        actor=event.actor,
        timestamp=to_wire(event.created_at),
        seq=event.seq,
        eta_minutes=OMIT if event.eta_minutes is None else event.eta_minutes,
        ack=True if ack else OMIT,
    )


def location_frame(
    *,
    booking_id: Any,
    lat: float,
    lng: float,
    moment: datetime,
    actor: str,
    eta_minutes: int | None,
    accuracy: float | None = None,
    heading: float | None = None,
    speed: float | None = None,
) -> LocationUpdated:
    return LocationUpdated(
        booking_id=str(booking_id),
        lat=lat,
        lng=lng,
        timestamp=to_wire(moment),
        actor=actor,
        eta_minutes=OMIT if eta_minutes is None else eta_minutes,
        accuracy=OMIT if accuracy is None else accuracy,
        heading=OMIT if heading is None else heading,
        speed=OMIT if speed is None else speed,
        uncertain=True if is_uncertain(lat, lng, accuracy) else OMIT,
    )


def stored_location_frame(booking: Booking) -> LocationUpdated | None:
    """Return the booking's last known location, or None; it was cleared when it became invisible."""
    if booking.location_lat is None or booking.location_lng is None or booking.location_at is None:
        return None
    return location_frame(
        booking_id=booking.pk,
        lat=booking.location_lat,
        lng=booking.location_lng,
        moment=booking.location_at,
        actor=booking.location_actor,
        eta_minutes=eta_minutes(booking, utc_now()),
        accuracy=booking.location_accuracy,
        heading=booking.location_heading,
        speed=booking.location_speed,
    )
