"""Names of the channel layer's groups: one for each booking and each user, and one that every process hears."""

from __future__ import annotations

from typing import Final
from uuid import UUID

CONTROL: Final = "control"
_BOOKING: Final = "booking."
_USER: Final = "user."


def booking_group(booking_id: UUID) -> str:
    return f"{_BOOKING}{booking_id}"


def user_group(user_id: UUID) -> str:
    return f"{_USER}{user_id}"


def booking_of(group: str) -> UUID | None:
    return UUID(group.removeprefix(_BOOKING)) if group.startswith(_BOOKING) else None


def user_of(group: str) -> UUID | None:
    return UUID(group.removeprefix(_USER)) if group.startswith(_USER) else None
