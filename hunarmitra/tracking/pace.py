"""Pace: the time until a worker should send the next location. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AT_REST_FACTOR: Final = 2
"""Least intervals between the locations of a worker at rest. A watcher's marker is so at most 4 s old by default."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals in seconds: the least between two accepted locations, and the interval while no client watches."""

    least: float
    unwatched: float


def next_in_ms(intervals: Intervals, *, listeners: int | None, moving: bool) -> int:
    """Return the milliseconds until the worker should send the next location.

    ``listeners`` is the number of processes with a subscription to the booking. None means that the number is unknown;
    the booking then counts as watched.
    """
    if listeners == 0:
        seconds = max(intervals.least, intervals.unwatched)
    else:
        seconds = intervals.least if moving else intervals.least * AT_REST_FACTOR
    return round(seconds * 1000)
