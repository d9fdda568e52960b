"""One week of load: the most connections in each quarter of an hour, by the wall clock of a time zone.

People keep to their clocks, so a slot is a weekday with a time of day: a change to summer time moves the load with it.
The curve has a fixed size, whatever the traffic is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

SLOT = timedelta(minutes=15)
DAY_SLOTS = 96
WEEK_SLOTS = 7 * DAY_SLOTS
BRIDGED_SLOTS = 4
"""A gap of at most this many slots keeps the values of the week before; a longer one is forgotten.

One hour: what a change to summer time skips, and more than a restart of the operator takes.
"""
UTC = ZoneInfo("UTC")
_MONDAY = datetime(1970, 1, 5)  # noqa: DTZ001 - a wall clock


class PredictionMode(StrEnum):
    """What the operator does with the load of last week."""

    OFF = "Off"
    OBSERVE = "Observe"
    APPLY = "Apply"


@dataclass(frozen=True, slots=True)
class Prediction:
    """Replicas for the load of last week: `lead` seconds ahead, at most `max_extra` more than the load needs now."""

    mode: PredictionMode = PredictionMode.OFF
    lead: int = 600
    max_extra: int = 4
    zone: ZoneInfo = UTC


NO_PREDICTION = Prediction()


@dataclass(frozen=True, slots=True)
class Forecast:
    """Most connections of last week in the time that the prediction looks ahead, when that is, and the replicas."""

    connections: int
    at: float
    replicas: int


@dataclass(frozen=True, slots=True)
class Curve:
    """`week` has the values since Monday 00:00; None where nothing is known.

    `slot` is the number of the current slot, whose highest value so far is `peak`. It enters `week` when the slot is
    over, so that last week's value is known until then.
    """

    zone: str
    slot: int
    peak: int | None = None
    week: tuple[int | None, ...] = (None,) * WEEK_SLOTS


def slot_at(now: float, zone: ZoneInfo) -> int:
    """Return the number of the slot at `now`, counted on the wall clock. It falls when the clock is set back."""
    return (datetime.fromtimestamp(now, zone).replace(tzinfo=None) - _MONDAY) // SLOT


def record(curve: Curve | None, zone: ZoneInfo, now: float, connections: int | None) -> Curve:
    """Add an observation; None if the connections are not known. Another time zone begins a new curve."""
    slot = slot_at(now, zone)
    if curve is None or curve.zone != zone.key:
        return Curve(zone.key, slot, connections)
    if slot == curve.slot:
        return replace(curve, peak=_higher(curve.peak, connections))
    week = list(curve.week)
    week[curve.slot % WEEK_SLOTS] = curve.peak
    skipped = slot - curve.slot - 1
    if skipped > BRIDGED_SLOTS:
        for number in range(min(skipped, WEEK_SLOTS)):
            week[(curve.slot + 1 + number) % WEEK_SLOTS] = None
    # Of a slot that the clock repeats, as at the end of summer time, the later observation counts.
    return Curve(curve.zone, slot, connections, tuple(week))


def _higher(one: int | None, other: int | None) -> int | None:
    return max((value for value in (one, other) if value is not None), default=None)


def highest(curve: Curve, zone: ZoneInfo, now: float, seconds: int) -> tuple[int, float] | None:
    """Return the most connections of last week from now until that many seconds later, and when; None if unknown."""
    step = int(SLOT.total_seconds())
    moments = [now + offset for offset in (*range(0, seconds, step), seconds)]
    known = [(value, at) for at in moments if (value := curve.week[slot_at(at, zone) % WEEK_SLOTS]) is not None]
    return max(known, key=lambda pair: (pair[0], -pair[1]), default=None)
