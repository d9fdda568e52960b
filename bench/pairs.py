"""Two ways to run, measured by turns: what else the machine does falls on both of a pair, and leaves their ratio."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from bench.results import NAN, Results
from bench.scenarios.scenario import Figures


def by_turns(pairs: int, load: str, on: Callable[[], float], off: Callable[[], float]) -> Figures:
    """Measure so many pairs. The order within a pair alternates, so that a drift favours neither."""
    figures: Figures = {}
    for number in range(pairs):
        for name, measure in (("on", on), ("off", off))[:: 1 if number % 2 == 0 else -1]:
            figures[f"{load} pair {number} {name}"] = measure()
    return figures


@dataclass(frozen=True)
class Ratios:
    """``on`` to ``off`` of each pair of all runs; NaN where nothing was measured."""

    pairs: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, results: Results, scenario: str, subject: str, load: str) -> Self:
        found = []
        for run in results.figures.get(scenario, {}).get(subject, []):
            for name, on in run.items():
                if name.startswith(f"{load} pair ") and name.endswith(" on"):
                    found.append((on, run[name.removesuffix("on") + "off"]))
        return cls(tuple(found))

    @property
    def ratios(self) -> list[float]:
        return [on / off for on, off in self.pairs]

    @property
    def median(self) -> float:
        return statistics.median(self.ratios) if self.pairs else NAN

    @property
    def lowest(self) -> float:
        return min(self.ratios, default=NAN)

    @property
    def highest(self) -> float:
        return max(self.ratios, default=NAN)

    def median_of(self, side: int) -> float:
        """0: what was measured with it on; 1: off."""
        return statistics.median(pair[side] for pair in self.pairs) if self.pairs else NAN
