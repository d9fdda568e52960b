"""What a scenario is, and how long its parts take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.subjects import Subject
from bench.world import World

Figures = dict[str, float]
"""Names to numbers; the unit is in the name where it is not a plain count."""


@dataclass(frozen=True)
class Sizes:
    """Durations in seconds. ``quick`` is for development: the same steps, shorter and with fewer sockets."""

    quick: bool
    fixed: float
    saturated: float
    idle_sockets: int
    many_sockets: int
    connects: int
    restarts: int
    pairs: int
    curve_sockets: Sequence[int] = field(default=())
    curve_rates: Sequence[int] = field(default=())


FULL = Sizes(
    quick=False,
    fixed=6,
    saturated=4,
    idle_sockets=5_000,
    many_sockets=10_000,
    connects=2_000,
    restarts=3,
    pairs=4,
    curve_sockets=(1_000, 2_500, 5_000, 7_500, 10_000, 12_500, 15_000),
    curve_rates=(10, 30, 100, 300, 1_000, 2_000),
)
QUICK = Sizes(
    quick=True,
    fixed=3,
    saturated=2,
    idle_sockets=2_000,
    many_sockets=3_000,
    connects=500,
    restarts=1,
    pairs=3,
    curve_sockets=(1_000, 3_000),
    curve_rates=(10, 100, 1_000),
)


@dataclass(frozen=True)
class Scenario:
    """``measure`` runs one subject once. ``repeats``: interleaved runs are worth it, else one run is made."""

    name: str
    title: str
    subjects: Sequence[Subject]
    measure: Callable[[World, Subject, Sizes], Figures]
    repeats: bool = True
