"""The raw figures of every run, kept as JSON, and their medians."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from bench.scenarios.scenario import Figures

NAN = float("nan")


@dataclass
class Sitting:
    """One call of the benchmark. What two of them measured compares two times, and perhaps two machines."""

    measured_at: str
    machine: dict[str, str]
    runs: dict[str, dict[str, int]] = field(default_factory=dict)
    """``runs[scenario][subject]``: the number of runs."""


@dataclass
class Results:
    """``figures[scenario][subject]`` has one entry for each run; ``notes`` says what was left out and why."""

    sittings: list[Sitting] = field(default_factory=list)
    quick: bool = False
    figures: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Self:
        raw = json.loads(path.read_text())
        return cls(**raw | {"sittings": [Sitting(**one) for one in raw["sittings"]]})

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")

    def add(self, scenario: str, subject: str, figures: Figures) -> None:
        self.figures.setdefault(scenario, {}).setdefault(subject, []).append(figures)
        if self.sittings:
            runs = self.sittings[-1].runs.setdefault(scenario, {})
            runs[subject] = runs.get(subject, 0) + 1

    def drop(self, scenario: str, subject: str) -> None:
        """Forget what was measured of it, and the sittings of which nothing is left."""
        tables: list[dict[str, dict[str, Any]]] = [self.figures, *(sitting.runs for sitting in self.sittings)]
        for kept in tables:
            subjects = kept.get(scenario, {})
            subjects.pop(subject, None)
            if not subjects:
                kept.pop(scenario, None)
        self.sittings = [sitting for sitting in self.sittings if sitting.runs]

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
