"""The time until the next location."""

from __future__ import annotations

import pytest

from hunarmitra.tracking.pace import Intervals, next_in_ms


@pytest.mark.parametrize(
    ("listeners", "moving", "milliseconds"),
    [(1, True, 2000), (3, False, 4000), (0, True, 15_000), (0, False, 15_000), (None, True, 2000), (None, False, 4000)],
)
def test_a_watcher_is_never_more_than_four_seconds_behind(
    listeners: int | None, moving: bool, milliseconds: int
) -> None:
    assert next_in_ms(Intervals(2, 15), listeners=listeners, moving=moving) == milliseconds


def test_the_pace_is_never_below_the_least_interval() -> None:
    assert next_in_ms(Intervals(20, 15), listeners=0, moving=True) == 20_000
