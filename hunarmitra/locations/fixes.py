"""Fixes: a phone's locations, each with its time and accuracy. Pure, like everything in this package."""

from __future__ import annotations

from collections.abc import Sequence
from math import asin, cos, radians, sin, sqrt
from typing import Final, NamedTuple

EARTH_RADIUS_METRES: Final = 6_371_008.8
"""Mean radius (IUGG)."""

MOST_FIXES: Final = 8
FIX_SPACING_SECONDS: Final = 9.0
"""Least seconds between two kept fixes, except the newest. So eight fixes span more than a minute."""

UNCERTAIN_METRES: Final = 200.0
NUMBERS_PER_FIX: Final = 4


class Fix(NamedTuple):
    """A location at a time.

    ``seconds`` counts from 1970. ``lat`` and ``lng`` are degrees (WGS 84). ``accuracy`` is the radius in metres that
    contains 68 % of the measurements, or None if the phone did not send it.
    """

    seconds: float
    lat: float
    lng: float
    accuracy: float | None = None


Fixes = Sequence[Fix]


def is_uncertain(lat: float, lng: float, accuracy: float | None) -> bool:
    """Return whether a location is too vague for the map: worse than 200 m, or exactly 0,0, which means no fix."""
    return (lat == 0 and lng == 0) or (accuracy is not None and accuracy > UNCERTAIN_METRES)


def with_fix(fixes: Fixes, fix: Fix) -> tuple[Fix, ...]:
    """Append a fix and keep at most eight.

    The next fix replaces a fix that is less than nine seconds later than its predecessor. So the list spans a minute
    at the usual pace of two seconds, and more at a slower pace. The PostgreSQL statement in ``tracking.storing`` does
    the same in SQL; a test compares both.
    """
    kept = list(fixes)
    if len(kept) >= 2 and kept[-1].seconds - kept[-2].seconds < FIX_SPACING_SECONDS:
        kept.pop()
    return (*kept, fix)[-MOST_FIXES:]


def distance_metres(lat: float, lng: float, other_lat: float, other_lng: float) -> float:
    """Return the great-circle distance (haversine formula)."""
    north, east = radians(other_lat - lat), radians(other_lng - lng)
    chord = sin(north / 2) ** 2 + cos(radians(lat)) * cos(radians(other_lat)) * sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_METRES * asin(min(1.0, sqrt(chord)))


def flattened(fixes: Fixes) -> list[float]:
    """Return the numbers of the fixes in one list, as the database stores them; -1 is an unknown accuracy."""
    return [
        number
        for fix in fixes
        for number in (fix.seconds, fix.lat, fix.lng, -1.0 if fix.accuracy is None else fix.accuracy)
    ]


def from_numbers(numbers: Sequence[float]) -> tuple[Fix, ...]:
    """Return the fixes of a list that :func:`flattened` made."""
    return tuple(
        Fix(seconds, lat, lng, None if accuracy < 0 else accuracy)
        for seconds, lat, lng, accuracy in zip(*(iter(numbers),) * NUMBERS_PER_FIX, strict=True)
    )
