"""Names of the channels: one for each booking, one for each user, and one that every WebSocket process listens to.

They are groups of the Channels channel layer: ``group_send`` to such a name reaches every subscription.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

CONTROL: Final = "control"
_BOOKING: Final = "booking."
_USER: Final = "user."


def booking_channel(booking_id: UUID) -> str:
    return f"{_BOOKING}{booking_id}"


def user_channel(user_id: UUID) -> str:
    return f"{_USER}{user_id}"


def is_booking(channel: str) -> bool:
    return channel.startswith(_BOOKING)


def booking_of(channel: str) -> UUID | None:
    """Return the booking of a channel, or None for another kind of channel. Raises ValueError for a malformed id."""
    return UUID(channel.removeprefix(_BOOKING)) if channel.startswith(_BOOKING) else None


def user_of(channel: str) -> UUID | None:
    """Return the user of a channel, or None for another kind of channel. Raises ValueError for a malformed id."""
    return UUID(channel.removeprefix(_USER)) if channel.startswith(_USER) else None
