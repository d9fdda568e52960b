"""Rows of bookings as frames of the catalogue."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from hunarmitra.common.clock import to_wire
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
    *, booking_id: Any, lat: float, lng: float, moment: datetime, actor: str, eta_minutes: int | None
) -> LocationUpdated:
    return LocationUpdated(
        booking_id=str(booking_id),
        lat=lat,
        lng=lng,
        timestamp=to_wire(moment),
        actor=actor,
        eta_minutes=OMIT if eta_minutes is None else eta_minutes,
    )


def stored_location_frame(booking: Booking) -> LocationUpdated | None:
    """The booking's last known position, or None; it was cleared when it became invisible."""
    if booking.location_lat is None or booking.location_lng is None or booking.location_at is None:
        return None
    return location_frame(
        booking_id=booking.pk,
        lat=booking.location_lat,
        lng=booking.location_lng,
        moment=booking.location_at,
        actor=booking.location_actor,
        eta_minutes=booking.eta_minutes,
    )
