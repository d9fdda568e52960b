"""Fixes: where a phone was, when, and how well it knew. Pure, like everything in this package."""

from __future__ import annotations

from collections.abc import Sequence
from math import asin, cos, radians, sin, sqrt
from typing import Final, NamedTuple

EARTH_RADIUS_METRES: Final = 6_371_008.8
"""Mean radius (IUGG)."""

MOST_FIXES: Final = 8
FIX_SPACING_SECONDS: Final = 9.0
"""Least seconds between two kept fixes, except the newest: eight of them tell of more than a minute."""

UNCERTAIN_METRES: Final = 200.0
NUMBERS_PER_FIX: Final = 4


class Fix(NamedTuple):
    """A place at a time.

    ``seconds`` since 1970, ``lat`` and ``lng`` in degrees (WGS 84), ``accuracy`` the radius of 68 % in metres, or
    None when the phone did not tell.
    """

    seconds: float
    lat: float
    lng: float
    accuracy: float | None = None


Fixes = Sequence[Fix]


def is_uncertain(lat: float, lng: float, accuracy: float | None) -> bool:
    """Return whether a location is too vague for the map: worse than 200 m, or at exactly 0,0 (no fix at all)."""
    return (lat == 0 and lng == 0) or (accuracy is not None and accuracy > UNCERTAIN_METRES)


def with_fix(fixes: Fixes, fix: Fix) -> tuple[Fix, ...]:
    """Append a fix and keep at most eight.

    A fix less than nine seconds after the one before it is replaced by the next one, so that the list spans a minute
    at the usual pace of two seconds and longer at a slower one. The PostgreSQL statement in ``tracking.storing`` does
    the same in SQL; a test compares the two.
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
    """Return the numbers of the fixes in one list, as the database keeps them; -1 stands for an unknown accuracy."""
    return [
        number
        for fix in fixes
        for number in (fix.seconds, fix.lat, fix.lng, -1.0 if fix.accuracy is None else fix.accuracy)
    ]


def from_numbers(numbers: Sequence[float]) -> tuple[Fix, ...]:
    """Return the fixes of such a list."""
    return tuple(
        Fix(seconds, lat, lng, None if accuracy < 0 else accuracy)
        for seconds, lat, lng, accuracy in zip(*(iter(numbers),) * NUMBERS_PER_FIX, strict=True)
    )
