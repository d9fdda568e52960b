"""The raw figures of every run, kept as JSON, and their medians."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from bench.scenarios.scenario import Figures

NAN = float("nan")


@dataclass
class Results:
    """``figures[scenario][subject]`` has one entry for each run; ``notes`` says what was left out and why."""

    machine: dict[str, str] = field(default_factory=dict)
    measured_at: str = ""
    quick: bool = False
    figures: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls(**json.loads(path.read_text()))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")

    def add(self, scenario: str, subject: str, figures: Figures) -> None:
        self.figures.setdefault(scenario, {}).setdefault(subject, []).append(figures)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def runs(self, scenario: str) -> int:
        """The fewest that any subject of it has."""
        return min((len(runs) for runs in self.figures.get(scenario, {}).values()), default=0)

    def values(self, scenario: str, subject: str, name: str) -> list[float]:
        runs = self.figures.get(scenario, {}).get(subject, [])
        return [run[name] for run in runs if name in run and not math.isnan(run[name])]

    def median(self, scenario: str, subject: str, name: str) -> float:
        """NaN when it was not measured."""
        values = self.values(scenario, subject, name)
        return statistics.median(values) if values else NAN

    def highest(self, scenario: str, subject: str, name: str) -> float:
        return max(self.values(scenario, subject, name), default=NAN)
