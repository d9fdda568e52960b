"""When the worker will be there: great-circle distance over the recent speed.

Replaceable by ``ETA_ESTIMATOR``: any function of the same signature, such as one that asks a routing service.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import asin, ceil, cos, radians, sin, sqrt
from typing import Final

EARTH_RADIUS_METRES: Final = 6_371_008.8
"""Mean radius (IUGG)."""

SMOOTHING_SECONDS: Final = 30.0
"""Positions of about the last half minute decide the speed."""

SLOWEST: Final = 0.5
"""Metres per second; who is slower stands still, and no time of arrival can be told."""

LONGEST_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Position:
    """Degrees (WGS 84), and when it was true."""

    lat: float
    lng: float
    moment: datetime


@dataclass(frozen=True, slots=True)
class Estimate:
    """``speed`` in metres per second, smoothed, to be handed in again with the next position."""

    minutes: int | None
    speed: float | None


def distance_metres(lat: float, lng: float, other_lat: float, other_lng: float) -> float:
    """Haversine formula."""
    north, east = radians(other_lat - lat), radians(other_lng - lng)
    chord = sin(north / 2) ** 2 + cos(radians(lat)) * cos(radians(other_lat)) * sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_METRES * asin(min(1.0, sqrt(chord)))


def smoothed_speed(previous: Position | None, speed: float | None, current: Position) -> float | None:
    """Metres per second, weighting the newest stretch by its length in time; None before the second position."""
    if previous is None:
        return speed
    seconds = (current.moment - previous.moment).total_seconds()
    if seconds <= 0:
        return speed
    newest = distance_metres(previous.lat, previous.lng, current.lat, current.lng) / seconds
    if speed is None:
        return newest
    weight = min(1.0, seconds / SMOOTHING_SECONDS)
    return speed + weight * (newest - speed)


def great_circle_estimate(
    previous: Position | None, speed: float | None, current: Position, site: tuple[float, float] | None
) -> Estimate:
    """``site`` is where the worker is going; without one, or without a speed, no minutes can be told."""
    speed = smoothed_speed(previous, speed, current)
    if site is None or speed is None or speed < SLOWEST:
        return Estimate(None, speed)
    minutes = ceil(distance_metres(current.lat, current.lng, *site) / speed / 60)
    return Estimate(max(1, minutes) if minutes <= LONGEST_MINUTES else None, speed)
