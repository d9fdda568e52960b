"""The statuses of a booking, as clients see them. The transition table is ``hunarmitra.bookings.transitions``."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """The value of a booking's ``status`` key."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    ON_THE_WAY = "on_the_way"
    ARRIVED = "arrived"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


FINAL: Final = frozenset({Status.COMPLETED, Status.CANCELLED})
TRACKED: Final = frozenset({Status.CONFIRMED, Status.ON_THE_WAY, Status.ARRIVED})
"""Statuses in which the assigned worker's location may be posted and seen."""
