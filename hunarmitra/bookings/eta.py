"""The arrival estimate of a booking: one value, for the frame, REST and a new snapshot alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.utils.module_loading import import_string

from hunarmitra.locations.estimate import Site
from hunarmitra.locations.fixes import Fixes, is_uncertain
from hunarmitra.protocol.statuses import Status

if TYPE_CHECKING:
    from hunarmitra.bookings.models import Booking

OLDEST_SECONDS: Final = 120.0
"""A location received longer ago says nothing about the arrival any more."""

FIXES_FOR_AN_ESTIMATE: Final = 2
"""So many kept fixes replace what the worker said."""

Estimator = Callable[[Fixes, Site, float], int | None]


@lru_cache(maxsize=1)
def estimator() -> Estimator:
    """Return the function that ``ETA_ESTIMATOR`` names."""
    found: Estimator = import_string(settings.ENVIRONMENT.eta_estimator)
    return found


def estimated_minutes(*, status: str, fixes: Fixes, site: Site | None, received_at: float) -> int | None:
    """Return the minutes from a location's receipt (seconds since 1970) until arrival, None when unknown."""
    if site is None or status == Status.ARRIVED:
        return None
    return estimator()(fixes, site, received_at)


def eta_minutes(booking: Booking, now: datetime) -> int | None:
    """Return the minutes until arrival: estimated where the fixes allow it, else what the worker said.

    What the worker said counts until two fixes are kept. The value is that of the location's own frame, so every reader
    gets the same estimate for the same location. A location older than two minutes has no estimate.
    """
    received = booking.location_received_at
    if received is None or (now - received).total_seconds() > OLDEST_SECONDS:
        return booking.eta_minutes
    if _is_uncertain(booking):
        return booking.eta_minutes
    estimated = estimated_minutes(
        status=booking.status,
        fixes=booking.location_fixes or (),
        site=site_of(booking),
        received_at=received.timestamp(),
    )
    return booking.eta_minutes if estimated is None else estimated


def _is_uncertain(booking: Booking) -> bool:
    if booking.location_lat is None or booking.location_lng is None:
        return True
    return is_uncertain(booking.location_lat, booking.location_lng, booking.location_accuracy)


def site_of(booking: Booking) -> Site | None:
    """Return the place of work, None for a booking without coordinates."""
    if booking.lat is None or booking.lng is None:
        return None
    return float(booking.lat), float(booking.lng)
