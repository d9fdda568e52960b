"""Parses ``subscribe`` and ``unsubscribe`` messages. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hunarmitra_ws.client_messages import ClientMessageError
from hunarmitra_ws.handshake import Since, read_since
from hunarmitra_ws.hub.live_watch import Box

BOOKING: Final = "booking"
NOTIFICATIONS: Final = "notifications"
LIVE: Final = "live"

DEFAULT_RATE: Final = 1.0
LEAST_RATE: Final = 0.01
MOST_RATE: Final = 10.0
"""Locations of one booking in a second that a client of ``live`` may ask for."""


@dataclass(frozen=True, slots=True)
class ChannelRequest:
    """A channel that a client names: ``booking`` is the booking's id as the client sent it, None for notifications."""

    booking: str | None
    since: Since


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """What a client wants of ``live``: all bookings or those in a box, and locations a second for each."""

    box: Box | None
    max_rate: float


def requested_channels(keys: Mapping[str, Any]) -> Sequence[ChannelRequest]:
    """Return the channels that a message names, each once. Raises :class:`ClientMessageError`."""
    channel = keys.get("channel")
    if channel == NOTIFICATIONS:
        return [ChannelRequest(None, _since(keys.get("since")))]
    if channel != BOOKING:
        raise _invalid(f"channel must be {BOOKING}, {NOTIFICATIONS} or {LIVE}.")
    if "booking_ids" not in keys:
        booking = keys.get("booking_id")
        if not isinstance(booking, str):
            raise _invalid("The message needs booking_id, a string, or booking_ids, a list of them.")
        return [ChannelRequest(booking, _since(keys.get("since")))]
    bookings, since = keys["booking_ids"], keys.get("since")
    if not isinstance(bookings, list) or not all(isinstance(booking, str) for booking in bookings):
        raise _invalid("booking_ids must be a list of strings.")
    if since is not None and not isinstance(since, dict):
        raise _invalid("With booking_ids, since must be an object of booking ids.")
    numbers = {booking.lower(): number for booking, number in (since or {}).items()}
    return [
        ChannelRequest(booking, _since(numbers.get(booking.lower())))
        for booking in {booking.lower(): booking for booking in bookings}.values()
    ]


def requested_live(keys: Mapping[str, Any]) -> LiveRequest:
    """Read a ``subscribe`` to ``live``. Raises :class:`ClientMessageError`."""
    rate = keys.get("max_rate", DEFAULT_RATE)
    if not _is_number(rate) or not LEAST_RATE <= rate <= MOST_RATE:
        raise _invalid(f"max_rate must be a number from {LEAST_RATE:g} to {MOST_RATE:g}.")
    corners = keys.get("bbox")
    if corners is None:
        return LiveRequest(None, float(rate))
    if not isinstance(corners, list) or len(corners) != 4 or not all(map(_is_number, corners)):
        raise _invalid("bbox must be four numbers: west, south, east, north.")
    west, south, east, north = corners
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise _invalid("bbox must be degrees: west and east from -180 to 180, south up to north from -90 to 90.")
    return LiveRequest(Box(west, south, east, north), float(rate))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _since(value: Any) -> Since:
    """Read a number, or its text as in the URL of an endpoint."""
    if value is None:
        return Since()
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise _invalid("since must be a whole number.")
    return read_since(str(value)) if isinstance(value, str) or -(10**18) < value < 10**18 else Since(malformed=True)


def _invalid(message: str) -> ClientMessageError:
    return ClientMessageError("invalid_message", message)
