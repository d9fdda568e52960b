"""Traces: connections over time, and events of the fleet.

In a CSV file a trace has the columns `seconds`, `connections` and `event`. Connections change linearly between two
rows. Events, several separated by `;`:

- `deploy`: a rolling update of all pods begins;
- `unreadable=0.5`: from now on half of the pods (a random choice, also among new pods) cannot be read;
  `unreadable=0` ends it;
- `churn=0.002`: from now on that part of the clients reconnects each second by itself (0.0005 at the start).
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

TUNING_SEEDS = (1, 2, 3)
"""Seeds whose results were known while the operator was written."""

HELD_OUT_SEEDS = (101, 102, 103)
"""Seeds that were fixed beforehand and run only at the end."""


@dataclass(frozen=True, slots=True)
class Event:
    """Event at a moment; `value` has no meaning for a deploy."""

    at: float
    kind: str
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Trace:
    """Connections over time, and events, both in order of time.

    `metrics` has further numbers at the same times, by name: the sum over all pods.
    """

    name: str
    times: tuple[float, ...]
    connections: tuple[float, ...]
    events: tuple[Event, ...] = ()
    metrics: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def end(self) -> float:
        """Return the trace's length in seconds."""
        return self.times[-1]

    def at(self, now: float) -> int:
        """Return the connections at `now`."""
        return round(self._between(self.connections, now))

    def metric(self, name: str, now: float) -> float:
        """Return the sum of a metric over all pods at `now`."""
        return self._between(self.metrics[name], now)

    def _between(self, values: Sequence[float], now: float) -> float:
        index = bisect_right(self.times, now)
        if index == 0:
            return values[0]
        if index == len(self.times):
            return values[-1]
        before, after = self.times[index - 1], self.times[index]
        share = (now - before) / (after - before)
        low, high = values[index - 1], values[index]
        return low + share * (high - low)


def _curve(
    name: str,
    seed: int,
    points: Iterable[tuple[float, float]],
    *events: Event,
    noise: float = 0.01,
    every: float = 60.0,
) -> Trace:
    """Return straight lines between the points, with noise of a standard deviation of `noise` times the value."""
    rng = random.Random(f"{name}/{seed}")
    corners = list(points)
    bare = Trace(name, tuple(at for at, _ in corners), tuple(value for _, value in corners))
    times = sorted({at for at, _ in corners} | {every * i for i in range(int(bare.end / every) + 1)})
    values = [max(0.0, bare.at(at) * (1 + rng.gauss(0, noise))) for at in times]
    return Trace(name, tuple(times), tuple(values), events)


def daily_curve(seed: int) -> Trace:
    """A day: quiet at four in the morning, a peak at noon, a higher one at seven in the evening."""
    hours = [(hour, 5500 - 3500 * math.cos(2 * math.pi * (hour - 4) / 24)) for hour in range(25)]
    peaks = [(3600.0 * h, level + 2500 * math.exp(-((h - 19) ** 2) / 4)) for h, level in hours]
    return _curve("daily curve", seed, peaks, noise=0.015, every=300)


def flash_crowd(seed: int) -> Trace:
    """From 2,000 to 12,000 within two minutes, an hour at that level, and back within ten minutes."""
    points = [(0.0, 2000.0), (1200, 2000), (1320, 12000), (4800, 12000), (5400, 2000), (9000, 2000)]
    return _curve("flash crowd", seed, points)


def mass_disconnect(seed: int) -> Trace:
    """A mobile network fails: 80 % disconnect within half a minute; seven minutes later they reconnect."""
    points = [(0.0, 8000.0), (1800, 8000), (1830, 1600), (2250, 1600), (2310, 8000), (5400, 8000)]
    return _curve("mass disconnect", seed, points)


def deploy(seed: int) -> Trace:
    """A rolling update at a steady load, and another one while load rises by half."""
    points = [(0.0, 6000.0), (3600, 6000), (4200, 9000), (7200, 9000)]
    return _curve("deploy", seed, points, Event(1200, "deploy"), Event(3660, "deploy"))


def half_unreadable(seed: int) -> Trace:
    """Half of the pods cannot be read for half an hour, first at a steady load, then while it rises by half."""
    points = [(0.0, 6000.0), (2400, 6000), (2700, 9000), (5400, 9000)]
    broken = (Event(1200, "unreadable", 0.5), Event(3000, "unreadable", 0.0))
    return _curve("half unreadable", seed, points, *broken)


def redis_outage(seed: int) -> Trace:
    """Redis is unavailable for ten minutes: clients without heartbeats retry, and 40 % stay away until it is back."""
    points = [(0.0, 8000.0), (1800, 8000), (2100, 4800), (2400, 4800), (2460, 8000), (5400, 8000)]
    churn = (Event(1800, "churn", 0.004), Event(2460, "churn", 0.0005))
    return _curve("redis outage", seed, points, *churn)


def slow_leak(seed: int) -> Trace:
    """Clients that never leave: 1 % more every two minutes for four hours, then half of them leave."""
    points = [(120.0 * i, 3000 * 1.01**i) for i in range(121)]
    points += [(120.0 * 121, 5000), (120.0 * 150, 5000)]
    return _curve("slow leak", seed, points)


GENERATORS: dict[str, Callable[[int], Trace]] = {
    "daily-curve": daily_curve,
    "flash-crowd": flash_crowd,
    "mass-disconnect": mass_disconnect,
    "deploy": deploy,
    "half-unreadable": half_unreadable,
    "redis-outage": redis_outage,
    "slow-leak": slow_leak,
}
