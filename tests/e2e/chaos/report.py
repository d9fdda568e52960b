"""What happened, for people: each fault with its time to recovery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.e2e.chaos.schedule import Fault

HEADINGS = ("#", "fault", "of", "began", "lasted", "recovered", "beside")


@dataclass(frozen=True)
class Outcome:
    """One fault as it was; times are seconds from the beginning of the run."""

    fault: Fault
    victim: str
    began: float
    healed: float
    """When its undoing was over."""
    recovered: float | None
    """When the whole system was well again; None if that took too long."""

    def overlaps(self, other: Outcome) -> bool:
        """Return whether the other was not over when this one began, or the reverse."""
        mine, theirs = self.recovered or float("inf"), other.recovered or float("inf")
        return self is not other and self.began < theirs and other.began < mine


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a table in Markdown. `recovered` counts from the end of the fault."""
    rows = [HEADINGS]
    for outcome in outcomes:
        beside = ", ".join(str(other.fault.number) for other in outcomes if outcome.overlaps(other))
        recovered = "no" if outcome.recovered is None else f"{outcome.recovered - outcome.healed:.1f} s"
        rows.append(
            (
                str(outcome.fault.number),
                outcome.fault.kind.name,
                outcome.victim,
                f"{outcome.began:.0f} s",
                f"{outcome.healed - outcome.began:.1f} s",
                recovered,
                beside,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def unrecovered(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a sentence for each fault from which the system did not recover in time."""
    return [
        f"fault {outcome.fault.number} ({outcome.fault.kind.name}, {outcome.victim}) was not recovered from in time"
        for outcome in outcomes
        if outcome.recovered is None
    ]
