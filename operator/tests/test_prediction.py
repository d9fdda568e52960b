"""Prediction from last week's load: what it adds, what a wrong one costs, clocks, and its place in the status."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from fake_cluster import FakeCluster
from fleets import NOW, SPEC, fleet, fleets, samples
from harness import Operator, spec
from hypothesis import given, settings
from hypothesis import strategies as st

from hunarmitra_operator.curve import UTC, WEEK_SLOTS, Curve, Prediction, PredictionMode, highest, record, slot_at
from hunarmitra_operator.decide import decide
from hunarmitra_operator.model import Decision, Fleet, History, Sample
from hunarmitra_operator.status import read_history, write_history

WEEK = 7 * 86400
BERLIN = ZoneInfo("Europe/Berlin")
APPLY = replace(SPEC, prediction=Prediction(PredictionMode.APPLY, lead=600, max_extra=4))
OBSERVE = replace(SPEC, prediction=replace(APPLY.prediction, mode=PredictionMode.OBSERVE))


def load(at: float) -> int:
    """Return a daily load that is higher on weekdays; peaks at 18:00 UTC."""
    moment = datetime.fromtimestamp(at, UTC)
    hour = moment.hour + moment.minute / 60
    return round((600 if moment.weekday() < 5 else 300) * (1.1 + math.cos((hour - 18) / 12 * math.pi)))


def week_before(now: float) -> Curve:
    """Return the curve after a week of that load."""
    learned = None
    for ago in range(WEEK, -1, -300):
        learned = record(learned, UTC, now - ago, load(now - ago))
    assert learned is not None
    return learned


def decided(loads: list[int], curve: Curve | None, chosen: object = APPLY) -> Decision:
    history = History(replicas=len(loads), curve=curve)
    return decide(chosen, fleet(loads), samples(loads), history, NOW)  # type: ignore[arg-type]


def expecting(connections: int, at: float = NOW + 600) -> Curve:
    """Return a curve that knows one slot of last week."""
    week: list[int | None] = [None] * WEEK_SLOTS
    week[slot_at(at, UTC) % WEEK_SLOTS] = connections
    return Curve(UTC.key, slot_at(NOW, UTC), None, tuple(week))


def test_after_a_week_the_load_of_the_next_minutes_is_known() -> None:
    learned = week_before(NOW)
    for hours in range(0, 7 * 24, 5):
        now = NOW + 3600 * hours
        found = highest(learned, UTC, now, 3600)
        assert found is not None
        first = now - now % 900 - WEEK
        assert found[0] == max(load(first + 300 * step) for step in range(15))


def test_pods_come_before_the_load() -> None:
    early = decided([100, 100], expecting(500))
    assert (early.recommended, early.decided_by, early.scale_to) == (5, "prediction", 5)
    assert "5 replicas needed, as last week had 500 connections at " in early.message
    assert "(UTC)" in early.message
    assert decided([100, 100], expecting(500, NOW + 3600)).recommended == 2, "too far ahead"


def test_observing_shows_the_prediction_and_does_nothing() -> None:
    seen = decided([100, 100], expecting(500), OBSERVE)
    assert seen.forecast is not None
    assert (seen.forecast.connections, seen.forecast.replicas) == (500, 5)
    assert (seen.recommended, seen.scale_to, seen.decided_by) == (2, None, "connections")
    off = decided([100, 100], expecting(500), SPEC)
    assert off.forecast is None
    assert off.history.curve is None


def test_on_a_holiday_a_wrong_prediction_costs_the_extra_replicas_and_no_more() -> None:
    assert decided([50, 50], expecting(1900)).recommended == 5  # the load needs 1
    assert decided([1, 1, 1], expecting(0)).recommended == 1


@settings(max_examples=60, deadline=None)
@given(fleets(), st.integers(0, 5000), st.integers(1, 10))
def test_a_prediction_never_asks_for_less_than_the_load_nor_for_more_than_the_cap(
    situation: tuple[Fleet, dict[str, Sample]], expected: int, extra: int
) -> None:
    current, readings = situation
    history = History(replicas=current.replicas, curve=expecting(expected))
    chosen = replace(APPLY, prediction=replace(APPLY.prediction, max_extra=extra))
    alone = decide(SPEC, current, readings, history, NOW)
    both = decide(chosen, current, readings, history, NOW)
    needed = -(-alone.connections // SPEC.target_per_pod)
    assert alone.recommended <= both.recommended <= max(alone.recommended, needed + extra)
    if both.scale_to is not None and both.decided_by == "prediction":
        assert both.scale_to <= SPEC.max_replicas


def test_unreadable_pods_are_not_recorded() -> None:
    curve = record(None, UTC, NOW, None)
    for readings in ({}, samples([100, None])):
        blind = decide(APPLY, fleet([100, 100]), readings, History(replicas=2, curve=curve), NOW)
        assert blind.history.curve == curve


@pytest.mark.parametrize(("hours", "kept"), [(0.75, True), (2, False), (24 * 30, False)])
def test_a_gap_of_an_hour_keeps_last_weeks_values_and_a_longer_one_forgets_them(hours: float, kept: bool) -> None:
    learned = week_before(NOW)
    later = record(learned, UTC, NOW + 3600 * hours, 1)
    between = later.week[slot_at(NOW + 1800, UTC) % WEEK_SLOTS]
    assert (between is not None) is kept
    assert len(later.week) == WEEK_SLOTS


@pytest.mark.parametrize("date", ["2027-03-28", "2027-10-31"], ids=["forward", "back"])
def test_a_change_of_the_clocks_moves_the_peak_with_the_wall_clock(date: str) -> None:
    """The peak is at 18:00 on the wall, before the change and after it."""
    day = datetime.fromisoformat(date)
    before = day.replace(hour=18, tzinfo=BERLIN) - timedelta(days=14)
    learned = None
    for minutes in range(0, 14 * 24 * 60, 5):
        at = before.timestamp() + 60 * minutes
        hour = datetime.fromtimestamp(at, BERLIN).hour
        learned = record(learned, BERLIN, at, 900 if hour == 18 else 100)
    assert learned is not None
    evening = day.replace(hour=18, minute=20, tzinfo=BERLIN).timestamp()
    assert highest(learned, BERLIN, evening, 60) == (900, evening)
    assert highest(learned, BERLIN, evening - 7200, 600) == (100, evening - 7200)
    assert None not in learned.week[: slot_at(evening, BERLIN) % WEEK_SLOTS], "the hour without a clock time is kept"


def test_another_time_zone_begins_a_new_curve() -> None:
    assert record(week_before(NOW), BERLIN, NOW, 5) == Curve("Europe/Berlin", slot_at(NOW, BERLIN), 5)


def test_the_status_keeps_the_curve_and_stays_small() -> None:
    learned = replace(week_before(NOW), week=(9_999_999,) * 600 + (None,) * 72)
    raw = json.loads(json.dumps(write_history(History(curve=learned))))
    assert read_history({"history": raw}).curve == learned
    assert len(json.dumps(raw["week"])) < 6000
    raw["week"]["days"][2] = "1,2"
    damaged = read_history({"history": raw | {"replicas": 3}})
    assert (damaged.curve, damaged.replicas) == (None, 3), "the rest of the history counts"


async def test_on_a_cluster_last_week_survives_a_restart(
    cluster: FakeCluster, operator: Operator, token: object
) -> None:
    await cluster.run_pods(90, 90, 90, 90)
    cluster.create_scaler(spec(cluster.port, prediction={"mode": "Observe"}))
    await operator.turns()
    busy = cluster.clock.now
    for quiet in (900, WEEK - 600):
        for pod in cluster.pods.values():
            pod.connections = 80
        cluster.clock.now = busy + quiet
        await operator.turns()
    assert cluster.status["prediction"]["connections"] == 360
    assert cluster.status["prediction"]["mode"] == "Observe"
    second = Operator(cluster, token)  # type: ignore[arg-type]
    await second.turns()
    await second.stop()
    assert cluster.status["prediction"]["connections"] == 360
    assert len(cluster.status["history"]["week"]["days"]) == 7
