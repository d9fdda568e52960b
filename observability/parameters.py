"""Parameters of a rendering: the scale of time, the selected series, and the address of the runbooks.

Production uses ``Parameters()``. A test cannot wait an hour for a one-hour window, so ``time_scale`` divides every
window, every ``for`` and every age by the same number. The rules stay the same, and a fault that pages after two
minutes pages after two seconds (with a scale of 60).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

LEAST_WINDOW_SECONDS: Final = 5.0
"""The shortest scaled window: ten scrapes at an interval of half a second, because a rate needs several samples."""

LEAST_AGE_SECONDS: Final = 6.0
"""The least scaled age. The relay reads rows older than 2 s and the hub compares every 5 s, so younger rows are not
late."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_of(duration: str) -> int:
    """Return the seconds of a duration with one unit, such as ``5m``. Raises ValueError for any other text."""
    match = re.fullmatch(r"(\d+)([smhd])", duration)
    if not match:
        raise ValueError(f"{duration!r} is not a number followed by s, m, h or d")
    return int(match[1]) * _UNITS[match[2]]


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Parameters of a rendering.

    ``labels`` are added to every selector. ``runbooks`` is the address of the folder that contains ``<Alert>.md``.
    """

    time_scale: float = 1.0
    labels: Mapping[str, str] = field(default_factory=dict)
    runbooks: str = "docs/runbooks"

    def window(self, duration: str) -> str:
        """Return the range of a selector, without its brackets."""
        if self.time_scale == 1:
            return duration
        return _milliseconds(max(LEAST_WINDOW_SECONDS, seconds_of(duration) / self.time_scale))

    def window_seconds(self, duration: str) -> float:
        """Return the seconds of a :meth:`window`."""
        seconds = seconds_of(duration)
        return seconds if self.time_scale == 1 else max(LEAST_WINDOW_SECONDS, seconds / self.time_scale)

    def wait(self, duration: str) -> str:
        """Return a ``for``: how long a condition must hold before its alert fires."""
        return duration if self.time_scale == 1 else _milliseconds(seconds_of(duration) / self.time_scale)

    def hold(self, duration: str) -> str:
        """Return a ``keep_firing_for``, which covers the time until every pod has recovered and was scraped again."""
        if self.time_scale == 1:
            return duration
        return _milliseconds(max(LEAST_WINDOW_SECONDS, seconds_of(duration) / self.time_scale))

    def age(self, duration: str) -> str:
        """Return an age limit in seconds, as a number."""
        seconds = float(seconds_of(duration))
        if self.time_scale != 1:
            seconds = max(LEAST_AGE_SECONDS, seconds / self.time_scale)
        return f"{seconds:g}"

    def select(self, metric: str, **matchers: str) -> str:
        """Return a selector: ``metric{label="value"}``. A value that begins with ``~`` is a regular expression."""
        parts = []
        for label, value in {**self.labels, **matchers}.items():
            operator, text = ("=~", value[1:]) if value.startswith("~") else ("=", value)
            parts.append(f'{label}{operator}"{text}"')
        return f"{metric}{{{', '.join(parts)}}}" if parts else metric


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
