"""The estimated time of arrival: great-circle distance divided by the speed of the recent fixes.

Real fixes jump, vary at rest, and are missing in a tunnel. So the estimate uses all fixes of about a minute. It ignores
fixes that a vehicle cannot reach, compares the movement with the accuracy of the fixes, and does not count a pause as
slow driving. The setting ``ETA_ESTIMATOR`` can name another function with the same signature, for example one that
calls a routing service.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import ceil, cos, hypot, pi, radians
from typing import Final, NamedTuple

from hunarmitra.locations.fixes import EARTH_RADIUS_METRES, Fix, Fixes, distance_metres

Site = tuple[float, float]
"""Latitude and longitude of the place of work, in degrees."""

FASTEST: Final = 45.0
"""Metres per second. Two fixes that need a higher speed do not belong to one drive."""

FASTEST_ESTIMATED: Final = 30.0
"""The highest speed of an estimate in metres per second. It limits the effect of a jump between fixes."""

SLOWEST: Final = 0.5
"""Metres per second. A slower worker is at rest, and the arrival cannot be estimated."""

USUAL_ACCURACY: Final = 8.0
"""Metres, for phones that send no accuracy (gps.gov: smartphones are accurate to about 5 m under open sky)."""

GAP_SECONDS: Final = 60.0
"""A longer time between two fixes ends a drive, because the worker's movement in it is unknown."""

REST_SECONDS: Final = 60.0
"""A longer stop is a rest; a shorter one may be a traffic light."""

PAUSE_WEIGHT: Final = 0.1
"""The part of a pause that counts as driving time, because the remaining drive has traffic lights too."""

SIGNIFICANCE: Final = 4.0
"""Standard deviations that a movement must exceed. A phone at rest exceeds four in 1 of 3,000 comparisons."""

SIGMAS_PER_ACCURACY: Final = 1.51
"""The radius of 68 % of a two-dimensional normal distribution, in standard deviations of one axis."""

LONGEST_AGE: Final = 20.0
"""The highest age of a location in seconds that reduces the estimate. An older location was sent late, or the phone's
clock is wrong."""

LONGEST_MINUTES: Final = 24 * 60


class _Place(NamedTuple):
    """A fix on a plane around the newest fix, in metres to the east and north; ``accuracy`` in metres is never unknown.

    Within the distance of a drive the plane differs from the sphere by less than a fix is exact. Farther away, only the
    size of a jump matters.
    """

    seconds: float
    east: float
    north: float
    accuracy: float


class _Drive(NamedTuple):
    """The places since the last long gap, of those that one vehicle can pass.

    After a jump, or at the beginning of a new drive, the newest place may not be one of them: only the next fixes can
    show which it was.
    """

    places: Sequence[_Place]
    newest_is_a_jump: bool


def recent_fixes_estimate(fixes: Fixes, site: Site, now: float) -> int | None:
    """Return the minutes until arrival, at least 1, or None if they cannot be estimated.

    ``fixes`` are in order of time, ``now`` is in seconds since 1970. Pure.
    """
    drive = _drive_of(tuple(fixes))
    if drive.newest_is_a_jump or (speed := _speed(drive.places)) is None:
        return None
    last = fixes[-1]
    seconds = distance_metres(last.lat, last.lng, *site) / speed - min(max(0.0, now - last.seconds), LONGEST_AGE)
    minutes = max(1, ceil(seconds / 60))
    return minutes if minutes <= LONGEST_MINUTES else None


def is_moving(fixes: Fixes) -> bool:
    """Return whether the worker moved within the last minute, or True while there are too few fixes."""
    places = _drive_of(tuple(fixes)).places
    if len(places) < 2 or places[-1].seconds - places[0].seconds < REST_SECONDS / 2:
        return True
    return _moved_lately(places)


@lru_cache(maxsize=256)
def _drive_of(fixes: tuple[Fix, ...]) -> _Drive:
    """Cached: a location needs its drive for the estimate, and again for its pace."""
    places = _on_a_plane(fixes)
    plausible = _plausible(places)
    return _Drive(_current_drive(plausible), len(plausible) < 2 or plausible[-1] is not places[-1])


def _on_a_plane(fixes: Fixes) -> list[_Place]:
    if not fixes:
        return []
    _, lat, lng, _ = fixes[-1]
    north = EARTH_RADIUS_METRES * pi / 180
    east = north * cos(radians(lat))
    return [
        _Place(
            fix.seconds,
            ((fix.lng - lng + 180) % 360 - 180) * east,
            (fix.lat - lat) * north,
            USUAL_ACCURACY if fix.accuracy is None else max(fix.accuracy, 1.0),
        )
        for fix in fixes
    ]


def _metres(one: _Place, other: _Place) -> float:
    return hypot(other.east - one.east, other.north - one.north)


def _plausible(places: list[_Place]) -> list[_Place]:
    """Return the longest chain of places that one vehicle can pass; of chains with equal length, the later one."""
    if all(_reachable(earlier, later) for earlier, later in pairwise(places)):
        return places  # the usual case, and the longest chain there can be
    best: list[list[_Place]] = []
    for place in places:
        chains = [chain for chain in best if _reachable(chain[-1], place)]
        best.append([*max(chains, key=len, default=[]), place])
    return max(reversed(best), key=len, default=[])


def _reachable(earlier: _Place, later: _Place) -> bool:
    seconds = later.seconds - earlier.seconds
    return seconds > 0 and _metres(earlier, later) - 2 * (earlier.accuracy + later.accuracy) <= FASTEST * seconds


def _current_drive(places: Sequence[_Place]) -> Sequence[_Place]:
    """Return the places since the last long gap. While they show no movement yet, include the place before the gap."""
    start = 0
    for number, (earlier, later) in enumerate(pairwise(places), 1):
        if later.seconds - earlier.seconds > GAP_SECONDS:
            start = number
    if start == 0:
        return places
    enough = len(places) - start >= 2 and _moved(places[start:])
    return places[start:] if enough else places[start - 1 :]


def _speed(drive: Sequence[_Place]) -> float | None:
    """Return the speed of a drive in metres per second, or None at rest."""
    if not _moved_lately(drive):
        return None
    seconds = sum(_counted_seconds(earlier, later) for earlier, later in pairwise(drive))
    speed = min(_metres(drive[0], drive[-1]) / seconds, FASTEST_ESTIMATED)
    return speed if speed >= SLOWEST else None


def _moved_lately(drive: Sequence[_Place]) -> bool:
    older = sum(drive[-1].seconds - place.seconds > REST_SECONDS for place in drive)
    return _moved(drive[max(0, older - 1) :])


def _counted_seconds(earlier: _Place, later: _Place) -> float:
    """Return the seconds between two places that count as driving."""
    seconds = later.seconds - earlier.seconds
    deviation = hypot(earlier.accuracy, later.accuracy) / SIGMAS_PER_ACCURACY
    paused = _metres(earlier, later) <= max(SLOWEST * seconds, deviation)
    return seconds * PAUSE_WEIGHT if paused else seconds


def _moved(places: Sequence[_Place]) -> bool:
    """Return whether the mean of the newest places differs significantly from an earlier place."""
    half = len(places) // 2
    newest = _mean(places[-max(1, half) :])
    for place in places[:-half]:
        metres = _metres(place, newest)
        deviation = hypot(place.accuracy, newest.accuracy) / SIGMAS_PER_ACCURACY
        if metres > SIGNIFICANCE * deviation and metres > SLOWEST * (newest.seconds - place.seconds):
            return True
    return False


def _mean(places: Sequence[_Place]) -> _Place:
    """Return the mean of places. Its accuracy is better than theirs: each is independent of the others."""
    seconds, east, north, accuracies = zip(*places, strict=True)
    count = len(places)
    return _Place(sum(seconds) / count, sum(east) / count, sum(north) / count, hypot(*accuracies) / count)
