"""The estimated time of arrival: great-circle distance divided by the speed of the recent fixes.

Real fixes jump, vary at rest, and are missing in a tunnel. So the estimate uses all fixes of about a minute. It ignores
fixes that a vehicle cannot reach, compares the movement with the accuracy of the fixes, and does not count a pause as
slow driving. The setting ``ETA_ESTIMATOR`` can name another function with the same signature, for example one that
calls a routing service.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, sqrt
from typing import Final, NamedTuple

from hunarmitra.locations.fixes import Fix, Fixes, distance_metres

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
    """The mean of some fixes; ``deviation`` is the standard deviation of that mean, in metres along one axis."""

    seconds: float
    lat: float
    lng: float
    deviation: float


def recent_fixes_estimate(fixes: Fixes, site: Site, now: float) -> int | None:
    """Return the minutes until arrival, at least 1, or None if they cannot be estimated.

    ``fixes`` are in order of time, ``now`` is in seconds since 1970. Pure.
    """
    plausible = _plausible(fixes)
    if len(plausible) < 2 or plausible[-1] is not fixes[-1]:
        return None  # The newest fix is a jump, or a new drive begins there. Only the next fixes can show which.
    drive = _current_drive(plausible)
    speed = _speed(drive)
    if speed is None:
        return None
    last = drive[-1]
    seconds = distance_metres(last.lat, last.lng, *site) / speed - min(max(0.0, now - last.seconds), LONGEST_AGE)
    minutes = max(1, ceil(seconds / 60))
    return minutes if minutes <= LONGEST_MINUTES else None


def is_moving(fixes: Fixes) -> bool:
    """Return whether the worker moved within the last minute, or True while there are too few fixes."""
    drive = _current_drive(_plausible(fixes))
    if len(drive) < 2 or drive[-1].seconds - drive[0].seconds < REST_SECONDS / 2:
        return True
    return _moved_lately(drive)


def _plausible(fixes: Fixes) -> list[Fix]:
    """Return the longest chain of fixes that one vehicle can pass; of chains with equal length, the later one."""
    if all(_reachable(earlier, later) for earlier, later in pairwise(fixes)):
        return list(fixes)  # the usual case, and the longest chain there can be
    best: list[list[Fix]] = []
    for fix in fixes:
        chains = [chain for chain in best if _reachable(chain[-1], fix)]
        best.append([*max(chains, key=len, default=[]), fix])
    return max(reversed(best), key=len, default=[])


def _reachable(earlier: Fix, later: Fix) -> bool:
    seconds = later.seconds - earlier.seconds
    metres = distance_metres(earlier.lat, earlier.lng, later.lat, later.lng)
    return seconds > 0 and metres - 2 * (_accuracy(earlier) + _accuracy(later)) <= FASTEST * seconds


def _current_drive(fixes: Sequence[Fix]) -> Sequence[Fix]:
    """Return the fixes since the last long gap. While they show no movement yet, include the fix before the gap."""
    start = 0
    for number, (earlier, later) in enumerate(pairwise(fixes), 1):
        if later.seconds - earlier.seconds > GAP_SECONDS:
            start = number
    enough = len(fixes) - start >= 2 and _moved(fixes[start:])
    return fixes[start:] if enough or start == 0 else fixes[start - 1 :]


def _speed(drive: Sequence[Fix]) -> float | None:
    """Return the speed of a drive in metres per second, or None at rest."""
    if not _moved_lately(drive):
        return None
    begin, end = drive[0], drive[-1]
    metres = distance_metres(begin.lat, begin.lng, end.lat, end.lng)
    seconds = sum(_counted_seconds(earlier, later) for earlier, later in pairwise(drive))
    speed = min(metres / seconds, FASTEST_ESTIMATED)
    return speed if speed >= SLOWEST else None


def _moved_lately(drive: Sequence[Fix]) -> bool:
    older = sum(drive[-1].seconds - fix.seconds > REST_SECONDS for fix in drive)
    return _moved(drive[max(0, older - 1) :])


def _counted_seconds(earlier: Fix, later: Fix) -> float:
    """Return the seconds between two fixes that count as driving."""
    seconds = later.seconds - earlier.seconds
    metres = distance_metres(earlier.lat, earlier.lng, later.lat, later.lng)
    paused = metres <= max(SLOWEST * seconds, _deviation(earlier, later))
    return seconds * PAUSE_WEIGHT if paused else seconds


def _moved(fixes: Sequence[Fix]) -> bool:
    """Return whether the mean of the newest fixes differs significantly from an earlier fix."""
    newest = _mean(fixes[-max(1, len(fixes) // 2) :])
    for fix in fixes[: -(len(fixes) // 2)]:
        metres = distance_metres(fix.lat, fix.lng, newest.lat, newest.lng)
        deviation = sqrt((_accuracy(fix) / SIGMAS_PER_ACCURACY) ** 2 + newest.deviation**2)
        if metres > SIGNIFICANCE * deviation and metres > SLOWEST * (newest.seconds - fix.seconds):
            return True
    return False


def _deviation(earlier: Fix, later: Fix) -> float:
    """Return the standard deviation of the distance between two fixes along one axis, in metres."""
    return sqrt(_accuracy(earlier) ** 2 + _accuracy(later) ** 2) / SIGMAS_PER_ACCURACY


def _mean(fixes: Sequence[Fix]) -> _Place:
    """Return the mean of fixes. Longitudes are relative to the first fix, so that the antimeridian does no harm."""
    count, first = len(fixes), fixes[0]
    east = sum((fix.lng - first.lng + 180) % 360 - 180 for fix in fixes) / count
    return _Place(
        sum(fix.seconds for fix in fixes) / count,
        sum(fix.lat for fix in fixes) / count,
        first.lng + east,
        sqrt(sum(_accuracy(fix) ** 2 for fix in fixes)) / count / SIGMAS_PER_ACCURACY,
    )


def _accuracy(fix: Fix) -> float:
    return USUAL_ACCURACY if fix.accuracy is None else max(fix.accuracy, 1.0)
