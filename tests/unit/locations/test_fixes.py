"""The fixes that are kept, and their form in the database."""

from __future__ import annotations

import pytest

from hunarmitra.locations.fixes import MOST_FIXES, Fix, flattened, from_numbers, is_uncertain, with_fix


def kept_after(seconds: list[float]) -> list[float]:
    kept: tuple[Fix, ...] = ()
    for moment in seconds:
        kept = with_fix(kept, Fix(moment, 28.6, 77.2))
    return [fix.seconds for fix in kept]


def test_fixes_of_every_two_seconds_span_more_than_a_minute() -> None:
    kept = kept_after([2.0 * n for n in range(200)])
    assert len(kept) == MOST_FIXES
    assert kept[-1] == 398
    assert kept[-1] - kept[0] >= 60


def test_the_newest_is_always_kept_and_slow_ones_all_are() -> None:
    assert kept_after([0, 2, 4]) == [0, 4]
    assert kept_after([0, 10, 12]) == [0, 10, 12]
    assert kept_after([15.0 * n for n in range(10)]) == [15.0 * n for n in range(2, 10)]


def test_numbers_and_back() -> None:
    fixes = (Fix(1.5, 28.6, 77.2, 8.0), Fix(3.0, -1.0, -2.0, None))
    assert from_numbers(flattened(fixes)) == fixes
    assert from_numbers([]) == ()


@pytest.mark.parametrize(
    ("lat", "lng", "accuracy", "uncertain"),
    [(0, 0, None, True), (0, 0, 5, True), (28.6, 77.2, 200, False), (28.6, 77.2, 200.1, True), (0, 77.2, None, False)],
)
def test_what_is_too_vague(lat: float, lng: float, accuracy: float | None, uncertain: bool) -> None:
    assert is_uncertain(lat, lng, accuracy) is uncertain
