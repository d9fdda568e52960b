"""Pace: when a worker should send the next location. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AT_REST_FACTOR: Final = 2
"""A watcher's marker is never older than twice the least interval, 4 s by default: the promise to a watcher."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds: the least interval between two accepted locations, and the interval while no client watches."""

    least: float
    unwatched: float


def next_in_ms(intervals: Intervals, *, listeners: int | None, moving: bool) -> int:
    """Return the milliseconds until the next location is wanted.

    ``listeners`` counts the processes with a subscription to the booking; None where nobody counts them, which is
    taken as watched.
    """
    if listeners == 0:
        seconds = max(intervals.least, intervals.unwatched)
    else:
        seconds = intervals.least if moving else intervals.least * AT_REST_FACTOR
    return round(seconds * 1000)
