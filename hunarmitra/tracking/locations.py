"""A worker's location: as the phone sent it, as the database stored it, and as the sender is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from hunarmitra.locations.estimate import Site
from hunarmitra.locations.fixes import Fix, is_uncertain

WORST_ACCURACY: Final = 100_000
HIGHEST_HEADING: Final = 360
HIGHEST_SPEED: Final = 150
MOST_READINGS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A location as the phone measured it.

    ``lat`` and ``lng`` are degrees (WGS 84). ``timestamp`` None means now. ``accuracy`` is the radius in metres that
    contains 68 % of the measurements, ``heading`` is in degrees clockwise from north, ``speed`` in metres per second.
    """

    lat: float
    lng: float
    timestamp: datetime | None = None
    accuracy: float | None = None
    heading: float | None = None
    speed: float | None = None

    @property
    def uncertain(self) -> bool:
        """Whether the location is too vague for the map and for the estimate."""
        return is_uncertain(self.lat, self.lng, self.accuracy)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedLocation:
    """A reading that a user posted for a booking, in a session.

    ``moment`` is the time of the location: the phone's timestamp, but not later than its receipt.
    """

    booking_id: UUID
    user_id: UUID
    session_id: UUID
    reading: Reading
    received: datetime

    @property
    def moment(self) -> datetime:
        return min(self.reading.timestamp or self.received, self.received)

    @property
    def fix(self) -> Fix:
        return Fix(self.moment.timestamp(), self.reading.lat, self.reading.lng, self.reading.accuracy)


class StoredLocation(NamedTuple):
    """The columns of the booking's row, read when the location was stored in it."""

    seq: int
    status: str
    fixes: Sequence[Fix]
    site: Site | None
    stated_minutes: int | None
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedLocation:
    """The answer to the sender. ``moment`` is the time of the location; see :class:`PostedLocation`."""

    reading: Reading
    moment: datetime
    eta_minutes: int | None
    next_in_ms: int
