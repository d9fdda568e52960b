"""How values go over time: they stand still, are interrupted, or rise for a while. A fault begins at ten minutes."""

from __future__ import annotations

from tests.observability.promtool import Values, then

NONE: tuple[str, ...] = ()
"""No alert."""


def silent(minutes: str) -> Values:
    """A time stamp that stands still from ten minutes on for this long, and is the present again."""
    end = 600 + int(minutes[:-1]) * 60
    return then(("10m", 0, 60), (minutes, 600, 0), ("", end, 60))


def interrupted(value: int, other: int, minutes: str) -> Values:
    return then(("10m", value, 0), (minutes, other, 0), ("", value, 0))


def burst(per_minute: float, minutes: str, *, before: str = "10m") -> Values:
    """A counter that stands still, rises for so long, and stands still again."""
    return then((before, 0, 0), (minutes, 0, per_minute), ("", per_minute * int(minutes[:-1]), 0))
