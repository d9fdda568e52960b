"""The worker's route to the site."""

from __future__ import annotations

from math import isclose, radians

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunarmitra.demo.route import CURVE, Point, bearing, moved, route
from hunarmitra.locations.fixes import distance_metres

SITE: Point = (28.6315, 77.2167)
points = st.tuples(st.floats(-80, 80), st.floats(-180, 180))


@pytest.mark.parametrize("steps", [1, 2, 30])
def test_it_has_as_many_locations_as_asked_for_and_ends_at_the_site(steps: int) -> None:
    way = route((28.62, 77.20), SITE, steps)
    assert len(way) == steps
    assert way[-1] == SITE


def test_it_is_evenly_spaced_and_bends_gently() -> None:
    start: Point = (28.62, 77.20)
    way = route(start, SITE, 40)
    straight = distance_metres(*start, *SITE)
    stretches = [distance_metres(*a, *b) for a, b in zip([start, *way], way, strict=False)]
    assert straight < sum(stretches) < straight * 1.1
    assert max(stretches) < 1.2 * min(stretches)
    halfway = moved(start, bearing(start, SITE), straight / 2)
    assert isclose(distance_metres(*way[19], *halfway), straight * CURVE, rel_tol=0.01)


def test_who_stands_at_the_site_already_stays_there() -> None:
    assert route(SITE, SITE, 3) == [SITE, SITE, SITE]


@given(points, st.floats(0, 6.28), st.floats(1, 50_000))
def test_moving_goes_as_far_as_it_says(start: Point, direction: float, metres: float) -> None:
    there = moved(start, direction, metres)
    assert isclose(distance_metres(*start, *there), metres, rel_tol=1e-4, abs_tol=0.01)
    assert -90 <= there[0] <= 90
    assert -180 <= there[1] <= 180


def test_bearings() -> None:
    assert isclose(bearing((0, 0), (1, 0)), 0, abs_tol=1e-9)
    assert isclose(bearing((0, 0), (0, 1)), radians(90))
    assert isclose(bearing((0, 179.5), (0, -179.5)), radians(90))
