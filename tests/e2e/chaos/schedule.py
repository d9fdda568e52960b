"""The schedule of faults: a pure function of a seed and a length.

Faults may overlap, because real ones do. Two faults that touch the same part never do: neither could be undone, and no
recovery could be said to be of one of them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

EVERYTHING: Final = frozenset({"*"})
"""The parts of a fault that overlaps with no other."""
GAP: Final = (6.0, 18.0)
"""Seconds between the beginnings of two faults, unless they must wait for each other."""
MOST_AT_ONCE: Final = 2
QUIET: Final = 20.0
"""Seconds at the end in which no fault is under way."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault."""

    name: str
    """What is done, and to what, e.g. `kill http`. `injectors.inject` knows each name."""
    touches: frozenset[str]
    """The parts that it takes away."""
    lasts: tuple[float, float] = (0.0, 0.0)
    """Least and most seconds until it is undone; 0 for a fault that is over at once, such as a kill."""
    rest: float = 15.0
    """Seconds after its end in which no other fault touches its parts."""
    weight: int = 1
    """How often it is in the deck from which the faults are drawn."""

    def excludes(self, other: Kind) -> bool:
        """Return whether the two may not overlap."""
        return bool(self.touches & other.touches) or EVERYTHING in (self.touches, other.touches)


@dataclass(frozen=True)
class Fault:
    """One planned fault; times are seconds from the beginning."""

    number: int
    kind: Kind
    at: float
    lasts: float
    choice: int
    """A random number, with which the injector chooses among pods, nodes or clients."""

    @property
    def until(self) -> float:
        return self.at + self.lasts

    @property
    def rested(self) -> float:
        return self.until + self.kind.rest


def plan(seed: int, seconds: float, kinds: Sequence[Kind]) -> list[Fault]:
    """Return the faults of a run in the order of their beginnings.

    Kinds are drawn like cards from a shuffled deck, so that every kind comes before one comes more often than its
    weight says. The last fault has rested `QUIET` seconds before the end.
    """
    generator = random.Random(seed)
    faults: list[Fault] = []
    deck: list[Kind] = []
    earliest = generator.uniform(*GAP)
    while True:
        if not deck:
            deck = [kind for kind in kinds for _ in range(kind.weight)]
            generator.shuffle(deck)
        kind = deck.pop()
        fault = Fault(
            number=len(faults) + 1,
            kind=kind,
            at=round(_begin(faults, kind, earliest), 1),
            lasts=round(generator.uniform(*kind.lasts), 1),
            choice=generator.randrange(2**16),
        )
        if fault.rested > seconds - QUIET:
            return faults
        faults.append(fault)
        earliest = fault.at + generator.uniform(*GAP)


def _begin(faults: Sequence[Fault], kind: Kind, earliest: float) -> float:
    """Return when a fault of this kind may begin, after the faults that are planned already."""
    after_rivals = max((fault.rested for fault in faults if fault.kind.excludes(kind)), default=0.0)
    ends = sorted((fault.rested for fault in faults), reverse=True)
    when_few = ends[MOST_AT_ONCE - 1] if len(ends) >= MOST_AT_ONCE else 0.0
    return max(earliest, after_rivals, when_few)


def _kill(part: str, rest: float = 20) -> Kind:
    return Kind(f"kill {part}", frozenset({part}), rest=rest)


def _partition(one: str, other: str) -> Kind:
    # Both ends: a killed pod that cannot reach the other would not become ready, and its recovery could not be told.
    return Kind(f"partition {one} {other}", frozenset({one, other}), lasts=(8, 20))


KINDS: Final[tuple[Kind, ...]] = (
    _kill("http"),
    _kill("ws"),
    _kill("relay"),
    _kill("operator"),
    _kill("redis"),
    _kill("postgresql", rest=30),
    Kind("restart redis", frozenset({"redis"}), rest=20),
    Kind("restart postgresql", frozenset({"postgresql"}), rest=30),
    _partition("http", "postgresql"),
    _partition("ws", "postgresql"),
    _partition("relay", "postgresql"),
    _partition("http", "redis"),
    _partition("ws", "redis"),
    _partition("relay", "redis"),
    _partition("operator", "ws"),
    Kind("rollout http", frozenset({"http"}), rest=30),
    Kind("rollout ws", frozenset({"ws"}), rest=40),
    Kind("drain node", EVERYTHING, lasts=(5, 10), rest=30),
    # Kubernetes takes most of a minute to notice that a node is gone.
    Kind("lose node", EVERYTHING, lasts=(30, 70), rest=40),
    Kind("slow clients", frozenset({"slow clients"}), lasts=(15, 40)),
    Kind("half-dead clients", frozenset({"half-dead clients"})),
    Kind("lost network of clients", frozenset({"networks"})),
    Kind("skewed clocks of clients", frozenset({"clocks"}), lasts=(20, 60)),
)


def chosen(names: str) -> list[Kind]:
    """Return the kinds of these names, which commas separate; all kinds for an empty text."""
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    if unknown := wanted - {kind.name for kind in KINDS}:
        raise ValueError(f"unknown kinds of faults: {', '.join(sorted(unknown))}")
    return [kind for kind in KINDS if not wanted or kind.name in wanted]
