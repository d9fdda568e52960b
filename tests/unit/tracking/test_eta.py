"""The estimate of the time of arrival."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunarmitra.tracking.eta import (
    EARTH_RADIUS_METRES,
    SMOOTHING_SECONDS,
    Position,
    distance_metres,
    great_circle_estimate,
    smoothed_speed,
)

NOON = datetime(2026, 1, 3, 12, tzinfo=UTC)
DELHI, AGRA = (28.6139, 77.2090), (27.1767, 78.0081)
latitudes, longitudes = st.floats(-90, 90), st.floats(-180, 180)


def at(lat: float, lng: float, seconds: float = 0) -> Position:
    return Position(lat, lng, NOON + timedelta(seconds=seconds))


def test_known_distances() -> None:
    assert isclose(distance_metres(0, 0, 0, 180), 3.141592653589793 * EARTH_RADIUS_METRES)
    assert isclose(distance_metres(0, 0, 1, 0), EARTH_RADIUS_METRES * 3.141592653589793 / 180)
    assert 176_000 < distance_metres(*DELHI, *AGRA) < 179_000
    assert distance_metres(*DELHI, *DELHI) == 0


def test_the_date_line_is_no_border() -> None:
    assert distance_metres(0, 179.9, 0, -179.9) < 23_000


@given(latitudes, longitudes, latitudes, longitudes)
def test_distance_is_symmetric_and_bounded(lat: float, lng: float, other_lat: float, other_lng: float) -> None:
    there = distance_metres(lat, lng, other_lat, other_lng)
    assert isclose(there, distance_metres(other_lat, other_lng, lat, lng), abs_tol=1e-6)
    assert 0 <= there <= 3.15 * EARTH_RADIUS_METRES


def test_the_first_position_tells_no_speed() -> None:
    assert smoothed_speed(None, None, at(*DELHI)) is None
    assert great_circle_estimate(None, None, at(*DELHI), AGRA).minutes is None


def test_the_second_position_tells_one() -> None:
    speed = smoothed_speed(at(0, 0), None, at(0, 0.001, seconds=10))
    assert speed is not None
    assert isclose(speed, 11.1195, rel_tol=1e-4)


def test_later_positions_move_the_speed_by_their_share_of_the_smoothing_time() -> None:
    metres_per_second = distance_metres(0, 0, 0, 0.001) / 3
    speed = smoothed_speed(at(0, 0), 10.0, at(0, 0.001, seconds=3))
    assert speed is not None
    assert isclose(speed, 10 + 3 / SMOOTHING_SECONDS * (metres_per_second - 10))
    long_pause = smoothed_speed(at(0, 0), 10.0, at(0, 0, seconds=300))
    assert long_pause == 0


@pytest.mark.parametrize("seconds", [0, -5])
def test_a_position_that_is_not_later_changes_no_speed(seconds: float) -> None:
    assert smoothed_speed(at(0, 0), 7.0, at(1, 1, seconds=seconds)) == 7.0


@pytest.mark.parametrize(
    ("speed", "metres", "minutes"), [(10.0, 3000, 5), (10.0, 3001, 6), (10.0, 1, 1), (10.0, 0, 1), (0.4, 1000, None)]
)
def test_minutes_are_whole_rounded_up_and_at_least_one(speed: float, metres: float, minutes: int | None) -> None:
    degrees = metres / EARTH_RADIUS_METRES * 180 / 3.141592653589793
    # The same moment again: the speed stays what it was.
    estimate = great_circle_estimate(at(0, 0), speed, at(0, 0), (degrees * 0.999999, 0))
    assert estimate.minutes == minutes


def test_no_estimate_without_a_site_or_beyond_a_day() -> None:
    assert great_circle_estimate(at(0, 0), 10.0, at(0, 0), None).minutes is None
    assert great_circle_estimate(at(0, 0), 1.0, at(0, 0), (45, 90)).minutes is None
    assert great_circle_estimate(at(0, 0), 10.0, at(0, 0), None).speed == 10.0


@given(latitudes, longitudes, st.floats(0.001, 1e6), st.one_of(st.none(), st.floats(0, 1e4)), latitudes, longitudes)
def test_whatever_comes_the_estimate_is_none_or_from_one_minute_to_a_day(
    lat: float, lng: float, seconds: float, speed: float | None, site_lat: float, site_lng: float
) -> None:
    estimate = great_circle_estimate(at(0, 0), speed, at(lat, lng, seconds), (site_lat, site_lng))
    assert estimate.minutes is None or 1 <= estimate.minutes <= 24 * 60
