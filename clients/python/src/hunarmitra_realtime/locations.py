"""Send a worker's locations along a recorded track, at the server's pace."""

from __future__ import annotations

import asyncio
import math
import time
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from hunarmitra_realtime.booking import BookingChannel
from hunarmitra_realtime.sender import LocationSender
from hunarmitra_realtime.session import Session

SPEED: Final = 8.0
"""Metres per second between points without a time."""

_METRES_PER_DEGREE: Final = 111_195.0


class TrackError(ValueError):
    """The file is not a track that can be replayed."""


@dataclass(frozen=True)
class Point:
    """A place in degrees, and the seconds from the start of the track."""

    lat: float
    lng: float
    seconds: float


@dataclass(frozen=True)
class Progress:
    """The part of the track that is done (0 to 1), and what happened: the sent point, or why nothing was accepted."""

    part: float
    point: Point
    next_in: float
    problem: str = ""


def read_gpx(path: Path) -> list[Point]:
    """Return the points of the tracks and routes in a GPX file. Raises TrackError."""
    try:
        text = path.read_text()
        if "<!DOCTYPE" in text:
            raise TrackError(f"{path}: a GPX file has no DOCTYPE")
        root = ElementTree.fromstring(text)  # without a DOCTYPE there are no entities to expand
        found = [(float(each.get("lat", "")), float(each.get("lon", "")), _time(each)) for each in _points(root)]
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise error if isinstance(error, TrackError) else TrackError(f"{path}: {error}") from error
    if not found:
        raise TrackError(f"{path}: no <trkpt> or <rtept> in it")
    points: list[Point] = []
    for lat, lng, at in found:
        if not (abs(lat) <= 90 and abs(lng) <= 180):
            raise TrackError(f"{path}: {lat}, {lng} are not degrees")
        points.append(Point(lat, lng, _seconds(points, found, lat, lng, at)))
    return points


def _points(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [each for each in root.iter() if each.tag.rpartition("}")[2] in {"trkpt", "rtept"}]


def _time(point: ElementTree.Element) -> float | None:
    text = next((each.text for each in point if each.tag.rpartition("}")[2] == "time"), None)
    return datetime.fromisoformat(text.strip()).timestamp() if text else None


def _seconds(
    points: Sequence[Point],
    found: Sequence[tuple[float, float, float | None]],
    lat: float,
    lng: float,
    at: float | None,
) -> float:
    """Return the time of the next point; never before the last one, whatever the file says."""
    if not points:
        return 0.0
    last, start = points[-1], found[0][2]
    if at is not None and start is not None:
        return max(last.seconds, at - start)
    return last.seconds + metres(last, Point(lat, lng, 0)) / SPEED


def metres(one: Point, other: Point) -> float:
    """Return the distance; for points near each other."""
    east = (other.lng - one.lng) * math.cos(math.radians(one.lat))
    return math.hypot(other.lat - one.lat, east) * _METRES_PER_DEGREE


def place(points: Sequence[Point], seconds: float) -> Point:
    """Return where the track is after so many seconds."""
    index = bisect_right(points, seconds, key=lambda point: point.seconds)
    if index == 0 or index == len(points):
        return points[max(0, index - 1)]
    before, after = points[index - 1], points[index]
    part = (seconds - before.seconds) / (after.seconds - before.seconds)
    lat, lng = before.lat + (after.lat - before.lat) * part, before.lng + (after.lng - before.lng) * part
    return Point(round(lat, 6), round(lng, 6), seconds)


async def send_locations(
    session: Session,
    booking: str,
    points: Sequence[Point],
    *,
    faster: float = 1.0,
    stream: BookingChannel | None = None,
    report: Callable[[Progress], None] = lambda _: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Send where the track is now, as often as the server asks, until its last point is accepted.

    ``faster`` plays the track that many times faster. ``stream`` is a stream of the booking, whose connection is used
    while it is live. What a lost network misses is not sent later. Raises SharingEndedError.
    """
    sender = LocationSender(session, booking, stream=stream, sleep=sleep, clock=clock)
    length = points[-1].seconds
    begun = clock()
    while True:
        seconds = min(length, (clock() - begun) * faster)
        point = place(points, seconds)
        sent = await sender.send(point.lat, point.lng)
        report(Progress(seconds / length if length else 1.0, point, sent.next_in, sent.problem))
        if sent.accepted and seconds >= length:
            return
        await sender.pause()
