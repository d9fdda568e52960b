"""Delete the event logs of bookings that ended long ago. The bookings stay."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F

from hunarmitra.bookings.models import Booking, BookingEvent
from hunarmitra.database.retries import whole_transaction

BATCH: Final = 200


def booking_events_prune(*, finished_before: datetime, dry_run: bool) -> int:
    """Return the number of events. ``pruned_seq`` tells a resuming client that the log no longer begins at 1."""
    finished = Booking.objects.filter(finished_at__lt=finished_before, pruned_seq__lt=F("seq"))
    if dry_run:
        return BookingEvent.objects.filter(booking__in=finished).count()
    deleted = 0
    while keys := list(finished.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        deleted += _prune(keys)
    return deleted


@whole_transaction
def _prune(keys: list[UUID]) -> int:
    with transaction.atomic():
        bookings = Booking.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk")
        locked = [booking.pk for booking in bookings.only("pk")]
        deleted, _ = BookingEvent.objects.filter(booking__in=locked).delete()
        Booking.objects.filter(pk__in=locked).update(pruned_seq=F("seq"))
    return deleted
