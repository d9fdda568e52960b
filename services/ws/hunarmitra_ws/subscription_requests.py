"""Parses ``subscribe`` and ``unsubscribe`` messages. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hunarmitra_ws.client_messages import ClientMessageError
from hunarmitra_ws.handshake import Since, read_since

BOOKING: Final = "booking"
NOTIFICATIONS: Final = "notifications"


@dataclass(frozen=True, slots=True)
class ChannelRequest:
    """A channel that a client names: ``booking`` is the booking's id as the client sent it, None for notifications."""

    booking: str | None
    since: Since


def requested_channels(keys: Mapping[str, Any]) -> Sequence[ChannelRequest]:
    """Return the channels that a message names, each once. Raises :class:`ClientMessageError`."""
    channel = keys.get("channel")
    if channel == NOTIFICATIONS:
        return [ChannelRequest(None, _since(keys.get("since")))]
    if channel != BOOKING:
        raise _invalid(f"channel must be {BOOKING} or {NOTIFICATIONS}.")
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


def _since(value: Any) -> Since:
    """Read a number, or its text as in the URL of an endpoint."""
    if value is None:
        return Since()
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise _invalid("since must be a whole number.")
    return read_since(str(value)) if isinstance(value, str) or -(10**18) < value < 10**18 else Since(malformed=True)


def _invalid(message: str) -> ClientMessageError:
    return ClientMessageError("invalid_message", message)
