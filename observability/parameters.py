"""What a rendering may differ in: how fast time runs, which series are meant, and where the runbooks are.

Production is ``Parameters()``. A test cannot wait an hour for a one-hour window, so ``time_scale`` divides every
window, every ``for`` and every age by the same number: the rules stay the same rules, and a fault that takes two
minutes to page takes two seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

LEAST_WINDOW_SECONDS: Final = 5.0
"""A rate needs several samples; shortened windows stop here, at ten scrapes of half a second."""

LEAST_AGE_SECONDS: Final = 6.0
"""The relay looks at rows older than 2 s and the hub compares every 5 s: nothing younger is late."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_of(duration: str) -> int:
    """Seconds of a duration with one unit, such as ``5m``. Raises ValueError for anything else."""
    match = re.fullmatch(r"(\d+)([smhd])", duration)
    if not match:
        raise ValueError(f"{duration!r} is not a number followed by s, m, h or d")
    return int(match[1]) * _UNITS[match[2]]


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """``labels`` are added to every selector; ``runbooks`` is the address below which ``<Alert>.md`` is found."""

    time_scale: float = 1.0
    labels: Mapping[str, str] = field(default_factory=dict)
    runbooks: str = "docs/runbooks"

    def window(self, duration: str) -> str:
        """The range of a selector, without its brackets."""
        if self.time_scale == 1:
            return duration
        return _milliseconds(max(LEAST_WINDOW_SECONDS, seconds_of(duration) / self.time_scale))

    def window_seconds(self, duration: str) -> float:
        """Seconds that :meth:`window` spans."""
        seconds = seconds_of(duration)
        return seconds if self.time_scale == 1 else max(LEAST_WINDOW_SECONDS, seconds / self.time_scale)

    def wait(self, duration: str) -> str:
        """A ``for``: how long a condition holds before it is an alert."""
        return duration if self.time_scale == 1 else _milliseconds(seconds_of(duration) / self.time_scale)

    def hold(self, duration: str) -> str:
        """A ``keep_firing_for``: bridges the time until every pod has recovered and was scraped again."""
        if self.time_scale == 1:
            return duration
        return _milliseconds(max(LEAST_WINDOW_SECONDS, seconds_of(duration) / self.time_scale))

    def age(self, duration: str) -> str:
        """Seconds, as a number, that something may be old."""
        seconds = float(seconds_of(duration))
        if self.time_scale != 1:
            seconds = max(LEAST_AGE_SECONDS, seconds / self.time_scale)
        return f"{seconds:g}"

    def select(self, metric: str, **matchers: str) -> str:
        """A selector: ``metric{label="value"}``. A value that begins with ``~`` is a regular expression."""
        parts = []
        for label, value in {**self.labels, **matchers}.items():
            operator, text = ("=~", value[1:]) if value.startswith("~") else ("=", value)
            parts.append(f'{label}{operator}"{text}"')
        return f"{metric}{{{', '.join(parts)}}}" if parts else metric


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
