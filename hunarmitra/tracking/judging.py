"""Reasons to reject a location: names the condition of the statement in ``storing`` that failed."""

from __future__ import annotations

from typing import Final

from django.conf import settings

from hunarmitra.accounts.models import User
from hunarmitra.bookings.errors import ConflictError, NotAllowedError, NotVisibleError
from hunarmitra.bookings.models import Booking
from hunarmitra.bookings.selectors import roles_of
from hunarmitra.bookings.services import is_tracked
from hunarmitra.bookings.transitions import BookingRole
from hunarmitra.tracking.locations import PostedLocation

SENDERS: Final = frozenset({BookingRole.WORKER, BookingRole.STAFF})
"""The roles that may post locations of a booking."""
ONLY_SENDERS: Final = "Only the assigned worker and staff post locations."


class TooSoonError(Exception):
    """Another location of the booking was accepted less than the limit ago."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__(f"A location was accepted less than {settings.ENVIRONMENT.tracking_min_interval:g} s ago.")
        self.wait_seconds = wait_seconds


def judge(booking: Booking, user: User, posted: PostedLocation) -> None:
    """Raise an error if the location must not be stored.

    Raises NotVisibleError, NotAllowedError, :class:`TooSoonError`, or ConflictError. The code of a ConflictError is
    ``not_tracked`` unless the booking is confirmed, on_the_way or arrived, and ``stale_position`` for a location that
    is older than the last accepted one. A location with the same time is accepted: a phone at rest sends its last fix
    again, and a client may repeat a request.
    """
    roles = roles_of(booking, user)
    if not roles:
        raise NotVisibleError("No such booking.")
    if not roles & SENDERS:
        raise NotAllowedError(ONLY_SENDERS)
    if not is_tracked(booking):
        raise ConflictError("not_tracked", f"The booking is {booking.status}; locations are not accepted.")
    if booking.location_received_at is not None:
        since = (posted.received - booking.location_received_at).total_seconds()
        interval = settings.ENVIRONMENT.tracking_min_interval
        if since < interval:
            # The difference is negative if another process stored a location that it received later than this one.
            raise TooSoonError(min(interval - since, interval))
    if booking.location_at is not None and posted.moment < booking.location_at:
        raise ConflictError("stale_position", "A later location was accepted already.")
