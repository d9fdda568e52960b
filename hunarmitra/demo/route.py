"""The worker's way to the site: along the great circle, with a gentle curve, because nobody flies."""

from __future__ import annotations

from math import asin, atan2, cos, degrees, pi, radians, sin
from typing import Final

from hunarmitra.locations.fixes import EARTH_RADIUS_METRES, distance_metres

Point = tuple[float, float]
"""Latitude and longitude in degrees (WGS 84)."""

CURVE: Final = 0.12
"""How far the way bends aside, as a part of its length."""

DECIMALS: Final = 6
"""About eleven centimetres."""


def bearing(start: Point, end: Point) -> float:
    """Initial direction in radians, clockwise from north."""
    (lat, lng), (other_lat, other_lng) = map(_in_radians, (start, end))
    east = other_lng - lng
    return atan2(sin(east) * cos(other_lat), cos(lat) * sin(other_lat) - sin(lat) * cos(other_lat) * cos(east))


def moved(start: Point, direction: float, metres: float) -> Point:
    """``metres`` along the great circle that leaves ``start`` in ``direction`` (radians)."""
    lat, lng = _in_radians(start)
    arc = metres / EARTH_RADIUS_METRES
    new_lat = asin(sin(lat) * cos(arc) + cos(lat) * sin(arc) * cos(direction))
    new_lng = lng + atan2(sin(direction) * sin(arc) * cos(lat), cos(arc) - sin(lat) * sin(new_lat))
    return degrees(new_lat), (degrees(new_lng) + 540) % 360 - 180


def route(start: Point, end: Point, steps: int) -> list[Point]:
    """``steps`` positions after ``start``, evenly spaced; the last is ``end``."""
    length = distance_metres(*start, *end)
    direction = bearing(start, end)
    points = []
    for step in range(1, steps):
        part = step / steps
        ahead = moved(start, direction, length * part)
        aside = moved(ahead, direction + pi / 2, length * CURVE * sin(pi * part))
        points.append((round(aside[0], DECIMALS), round(aside[1], DECIMALS)))
    return [*points, end]


def _in_radians(point: Point) -> Point:
    return radians(point[0]), radians(point[1])
