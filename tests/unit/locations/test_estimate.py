"""The estimated time of arrival, for cases with known answers, and for simulated and recorded drives."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from math import isclose
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunarmitra.locations.estimate import LONGEST_MINUTES, recent_fixes_estimate
from hunarmitra.locations.fixes import EARTH_RADIUS_METRES, Fix, distance_metres, is_uncertain, with_fix
from tests.unit.locations.drives import (
    CITY,
    HIGHWAY,
    MARKET,
    RECORDED,
    Drive,
    recorded_drive,
    simulated_drive,
)

DELHI, AGRA = (28.6139, 77.2090), (27.1767, 78.0081)
NOON = 1_767_441_600.0
METRES_PER_DEGREE = EARTH_RADIUS_METRES * 3.141592653589793 / 180
CASES: Sequence[dict[str, Any]] = json.loads((Path(__file__).parent / "eta.json").read_text())["cases"]

latitudes, longitudes = st.floats(-90, 90), st.floats(-180, 180)


def estimates(fixes: Sequence[Fix], site: tuple[float, float]) -> list[int | None]:
    """Return the estimate at each fix, as the tracking service makes it."""
    kept: tuple[Fix, ...] = ()
    found = []
    for fix in fixes:
        uncertain = is_uncertain(fix.lat, fix.lng, fix.accuracy)
        kept = kept if uncertain else with_fix(kept, fix)
        found.append(None if uncertain else recent_fixes_estimate(kept, site, fix.seconds))
    return found


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_cases_with_known_answers(case: dict[str, Any]) -> None:
    found = estimates([Fix(*fix) for fix in case["fixes"]], tuple(case["site"]))
    for number, least, most in case["expect"]:
        minutes = found[number]
        if least is None:
            assert minutes is None, (number, minutes)
        else:
            assert minutes is not None, number
            assert least <= minutes <= most, (number, minutes)


def test_a_traffic_light_keeps_the_estimate() -> None:
    driven = [Fix(NOON + 2 * n, 28.68 - 16 * n / METRES_PER_DEGREE, 77.2) for n in range(30)]
    before = estimates(driven, (28.63, 77.2))[-1]
    last = driven[-1]
    waiting = [last._replace(seconds=last.seconds + 2 * n) for n in range(1, 26)]
    found = estimates([*driven, *waiting], (28.63, 77.2))[30:]
    assert before is not None
    assert all(minutes is not None and before <= minutes <= 2 * before for minutes in found), found


def _truth(drive: Drive) -> Iterator[tuple[int | None, float, float]]:
    """Yield estimate, true minutes and distance in metres, until a minute before the arrival."""
    for fix, minutes in zip(drive.fixes, estimates(drive.fixes, drive.site), strict=True):
        left = drive.arrival - fix.seconds
        if left > 60:
            yield minutes, left / 60, distance_metres(fix.lat, fix.lng, *drive.site)


def assert_estimated(drives: Iterable[Drive]) -> None:
    """Assert what the estimate promises over many drives."""
    ratios, silent, total = [], 0, 0
    for drive in drives:
        for minutes, truth, metres in _truth(drive):
            total += 1
            if minutes is None:
                silent += 1
                continue
            ratios.append(minutes / truth)
            assert minutes > 1 or metres <= 3000
    assert 0.8 <= statistics.median(ratios) <= 1.25
    assert sum(0.5 <= ratio <= 2 for ratio in ratios) >= 0.9 * len(ratios)
    assert silent < 0.1 * total


def test_simulated_drives_are_estimated_within_a_factor_of_two() -> None:
    assert_estimated(simulated_drive(kind, seed) for seed in range(12) for kind in (CITY, MARKET, HIGHWAY))


def test_recorded_drives_are_estimated_within_a_factor_of_two() -> None:
    assert len(RECORDED) == 5
    assert_estimated(recorded_drive(path) for path in RECORDED)


def test_known_distances() -> None:
    assert isclose(distance_metres(0, 0, 0, 180), 3.141592653589793 * EARTH_RADIUS_METRES)
    assert isclose(distance_metres(0, 0, 1, 0), METRES_PER_DEGREE)
    assert 176_000 < distance_metres(*DELHI, *AGRA) < 179_000
    assert distance_metres(*DELHI, *DELHI) == 0


def test_the_date_line_is_not_a_border() -> None:
    assert distance_metres(0, 179.9, 0, -179.9) < 23_000


@given(latitudes, longitudes, latitudes, longitudes)
def test_distance_is_symmetric_and_bounded(lat: float, lng: float, other_lat: float, other_lng: float) -> None:
    there = distance_metres(lat, lng, other_lat, other_lng)
    assert isclose(there, distance_metres(other_lat, other_lng, lat, lng), abs_tol=1e-6)
    assert 0 <= there <= 3.15 * EARTH_RADIUS_METRES


def test_the_first_fix_gives_no_estimate() -> None:
    assert recent_fixes_estimate([Fix(NOON, *DELHI)], AGRA, NOON) is None
    assert recent_fixes_estimate([], AGRA, NOON) is None


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_fix_that_is_not_later_gives_no_estimate(seconds: float) -> None:
    fixes = [Fix(NOON, 28.6, 77.2), Fix(NOON + seconds, 28.6009, 77.2)]
    assert recent_fixes_estimate(fixes, (28.7, 77.2), NOON) is None


@pytest.mark.parametrize(("metres", "minutes"), [(3000, 5), (3001, 6), (10, 1), (0.5, 1)])
def test_minutes_are_rounded_up_and_at_least_one(metres: float, minutes: int) -> None:
    """The speed is 10 m/s; the site is ``metres`` ahead of the newest fix."""
    fixes = [Fix(NOON + 10 * n, 100 * n / METRES_PER_DEGREE, 0, 5) for n in range(4)]
    site = ((300 + metres * 0.99999) / METRES_PER_DEGREE, 0.0)
    assert recent_fixes_estimate(fixes, site, NOON + 30) == minutes


def test_the_age_of_the_location_is_subtracted() -> None:
    fixes = [Fix(NOON + 10 * n, 100 * n / METRES_PER_DEGREE, 0, 5) for n in range(4)]
    site = (3310 / METRES_PER_DEGREE, 0.0)
    assert recent_fixes_estimate(fixes, site, NOON + 30) == 6
    assert recent_fixes_estimate(fixes, site, NOON + 50) == 5


def test_no_estimate_beyond_a_day() -> None:
    fixes = [Fix(NOON + 10 * n, 0.0002 * n, 0, 1) for n in range(4)]
    assert recent_fixes_estimate(fixes, (45, 90), NOON + 30) is None


fix_lists = st.lists(
    st.builds(Fix, st.floats(NOON, NOON + 1e5), latitudes, longitudes, st.one_of(st.none(), st.floats(0, 100_000))),
    max_size=8,
)


@given(fix_lists, latitudes, longitudes, st.floats(NOON - 1e6, NOON + 1e6))
def test_any_fixes_give_none_or_one_minute_to_a_day(fixes: list[Fix], lat: float, lng: float, now: float) -> None:
    minutes = recent_fixes_estimate(fixes, (lat, lng), now)
    assert minutes is None or 1 <= minutes <= LONGEST_MINUTES
