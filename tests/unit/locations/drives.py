"""Drives: simulated through a city grid with traffic lights, with a phone's noise and jumps, and recorded ones."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians
from pathlib import Path

from hunarmitra.locations.fixes import Fix

ORIGIN = (28.6, 77.2)
METRES_PER_DEGREE = 111_195.0
START = 1_767_441_600.0


@dataclass(frozen=True)
class Kind:
    """Parameters of a drive: metres, m/s, seconds and probabilities. ``accuracy`` is the radius of 68 %."""

    accuracy: float
    speed: float
    block: float
    stops: float
    stop_seconds: float
    turns: float
    length: float


CITY = Kind(accuracy=8, speed=8, block=250, stops=0.5, stop_seconds=20, turns=0.3, length=5000)
MARKET = Kind(accuracy=15, speed=6, block=150, stops=0.4, stop_seconds=15, turns=0.3, length=3000)
HIGHWAY = Kind(accuracy=5, speed=13, block=600, stops=0.6, stop_seconds=30, turns=0.2, length=9000)


@dataclass(frozen=True)
class Drive:
    """The fixes of the phone, and the time of the arrival at the site."""

    fixes: Sequence[Fix]
    site: tuple[float, float]
    arrival: float


RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.csv"))


def recorded_drive(path: Path) -> Drive:
    """Read one drive; `recorded/README.md` says where it comes from."""
    with path.open(newline="") as file:
        fixes = [
            Fix(START + float(row["seconds"]), float(row["lat"]), float(row["lng"])) for row in csv.DictReader(file)
        ]
    last = fixes[-1]
    return Drive(fixes, (last.lat, last.lng), last.seconds)


def simulated_drive(kind: Kind, seed: int) -> Drive:
    """Simulate one drive; the same seed gives the same drive."""
    chance = random.Random(seed)
    path = list(_path(kind, chance))
    arrival = float(len(path) - 1)
    fixes, moment = [], 0.0
    while moment < arrival:
        lat, lng = _degrees(*path[round(moment)])
        deviation = kind.accuracy / 1.51 / METRES_PER_DEGREE
        lat, lng = chance.gauss(lat, deviation), chance.gauss(lng, deviation)
        if chance.random() < 0.01:
            lat += chance.uniform(-0.05, 0.05)
        fixes.append(Fix(START + moment, lat, lng, kind.accuracy))
        moment += chance.choice([2, 2, 2.2, 3, 4])
    return Drive(fixes, _degrees(*path[-1]), START + arrival)


def _path(kind: Kind, chance: random.Random) -> list[tuple[float, float]]:
    """Return the path in metres east and north of the origin, one place for each second."""
    east = north = driven = 0.0
    path, northwards = [(east, north)], False
    while driven < kind.length:
        left = chance.uniform(0.5, 1.5) * kind.block
        driven += left
        speed = max(2.0, chance.gauss(kind.speed, kind.speed / 4))
        while left > 0:
            step = min(speed, left)
            left -= step
            east, north = (east, north + step) if northwards else (east + step, north)
            path.append((east, north))
        if chance.random() < kind.stops:
            path += [path[-1]] * int(chance.expovariate(1 / kind.stop_seconds))
        if chance.random() < kind.turns:
            northwards = not northwards
    return path


def _degrees(east: float, north: float) -> tuple[float, float]:
    lat, lng = ORIGIN
    return lat + north / METRES_PER_DEGREE, lng + east / METRES_PER_DEGREE / cos(radians(lat))
