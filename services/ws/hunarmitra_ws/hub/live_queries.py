"""The live feed's database reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F

from hunarmitra.bookings.models import Booking, BookingEvent
from hunarmitra.bookings.wire import status_frame, stored_location_frame
from hunarmitra.protocol import channels
from hunarmitra.protocol.frames import encode
from hunarmitra.protocol.statuses import TRACKED
from hunarmitra_ws.hub.queries import ChannelState, state_of


@dataclass(frozen=True, slots=True)
class LiveRow:
    """A booking, with the texts of its newest status event and of its location."""

    state: ChannelState
    status: str
    event: str
    location: Mapping[str, Any] | None
    location_text: str | None


def tracked_bookings(known: Collection[str]) -> list[str]:
    """Return the channels of the tracked bookings that are not in ``known``: one query."""
    ids = Booking.objects.filter(status__in=TRACKED).values_list("pk", flat=True)
    return [name for pk in ids.iterator() if (name := channels.booking_channel(pk)) not in known]


def read_live_rows(names: Sequence[str]) -> dict[str, LiveRow]:
    """Return each booking with its newest event, by channel: one query. A booking deleted meanwhile is missing."""
    ids = [booking for name in names if (booking := channels.booking_of(name)) is not None]
    newest = BookingEvent.objects.filter(booking_id__in=ids, seq=F("booking__seq")).select_related("booking")
    return {channels.booking_channel(event.booking_id): _row(event.booking, event) for event in newest}


def _row(booking: Booking, event: BookingEvent) -> LiveRow:
    location = stored_location_frame(booking)
    return LiveRow(
        state=state_of(booking),
        status=booking.status,
        event=encode(status_frame(event)),
        location=None if location is None else location.to_wire(),
        location_text=None if location is None else encode(location),
    )
