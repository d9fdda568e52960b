"""Properties of every decision, over generated fleets and histories."""

from __future__ import annotations

import math
import os
import time
from dataclasses import replace
from typing import NamedTuple

import pytest
from fleets import NOW, SPEC, fleet, fleets, histories, samples, specs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hunarmitra_operator import recommendation, survey
from hunarmitra_operator.decide import decide
from hunarmitra_operator.model import Decision, Fleet, History, Pod, Reason, Rules, Sample, Spec

# `.ci/run` sets it: a third of the examples.
PARTS = 3 if os.environ.get("VARIANTS") == "0" else 1
MANY = settings(max_examples=3000 // PARTS, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def situations(draw: st.DrawFn) -> tuple[Spec, Fleet, dict[str, Sample], History]:
    """Any arguments that `decide` may get."""
    current, readings = draw(fleets())
    spec = draw(specs())
    spec = replace(spec, paused=draw(st.sampled_from([False] * 8 + [True])))
    spec = replace(spec, dry_run=draw(st.sampled_from([False] * 8 + [True])))
    if draw(st.sampled_from([False] * 8 + [True])):
        current = replace(current, autoscalers=("HorizontalPodAutoscaler/ws",))
    return spec, current, readings, draw(histories(current))


class Case(NamedTuple):
    """Arguments and the decision."""

    spec: Spec
    current: Fleet
    readings: dict[str, Sample]
    history: History
    decision: Decision


def capacity(decision: Decision, spec: Spec, current: Fleet, readings: dict[str, Sample]) -> dict[str, int]:
    """Return ready, undrained, freshly read pods with their connections, without the operator's code."""
    before = {victim.uid for victim in (decision.drain.victims if decision.drain else ())}
    fresh = {uid: s.connections for uid, s in readings.items() if s.at >= NOW - spec.max_sample_age}
    return {
        pod.uid: fresh[pod.uid]
        for pod in current.pods
        if pod.ready and not pod.terminating and not pod.pending and pod.uid in fresh and pod.uid not in before
    }


def a_change_stays_within_the_bounds(case: Case) -> None:
    spec, current, _readings, _history, decision = case
    low, high = spec.min_replicas, spec.max_replicas
    if decision.scale_to is not None and decision.scale_to > current.replicas:
        assert decision.scale_to <= high
    if decision.drain is not None and decision.drain.started == NOW:
        assert decision.drain.target >= min(low, current.replicas)
    acts = decision.reason not in {Reason.CONFLICT, Reason.PAUSED, Reason.AT_ZERO, Reason.DRY_RUN}
    if acts and 0 < current.replicas < low and decision.drain is None:
        assert decision.scale_to is not None
        assert decision.scale_to >= low


def nothing_goes_down_on_missing_or_old_data(case: Case) -> None:
    spec, current, readings, history, decision = case
    unread = [
        pod
        for pod in current.pods
        if pod.ready
        and not pod.terminating
        and not pod.pending
        and (pod.uid not in readings or readings[pod.uid].at < NOW - spec.max_sample_age)
    ]
    if unread:
        scaled_before = history.drain is not None and history.drain.scaled is not None
        assert decision.drain is None or scaled_before
        assert decision.scale_to is None or decision.scale_to > current.replicas
        assert not decision.moves


def new_victims_are_the_emptiest(case: Case) -> None:
    spec, current, readings, _history, decision = case
    if decision.drain is None or decision.drain.started != NOW:
        return
    by_uid = {pod.uid: pod for pod in current.pods}
    chosen = [by_uid[victim.uid] for victim in decision.drain.victims]
    if any(pod.pending for pod in chosen):
        assert all(pod.pending for pod in chosen)
        return
    rest = capacity(decision, spec, current, readings)
    assert all(pod.ready and not pod.terminating for pod in chosen)
    assert rest, "somebody has to be left"
    assert max(readings[pod.uid].connections for pod in chosen) <= min(rest.values())


def survivors_stay_below_the_cap_unless_the_maximum_binds(case: Case) -> None:
    spec, current, readings, _history, decision = case
    if decision.drain is None or decision.drain.started != NOW or current.replicas > spec.max_replicas:
        return
    moved = sum(victim.connections for victim in decision.drain.victims)
    rest = capacity(decision, spec, current, readings)
    if moved:
        assert max(rest.values()) + math.ceil(moved / len(rest)) <= spec.cap_per_pod


def nobody_in_service_is_removed(case: Case) -> None:
    _spec, current, readings, _history, decision = case
    if decision.scale_to is None or decision.scale_to >= current.replicas or decision.drain is None:
        return
    by_uid = {pod.uid: pod for pod in current.pods}
    for pod in [by_uid[victim.uid] for victim in decision.drain.victims]:
        serving = pod.ready and not pod.terminating and not pod.pending
        assert not (serving and readings[pod.uid].connections), pod.name


def it_explains_itself_and_can_be_replayed(case: Case) -> None:
    spec, current, readings, history, decision = case
    assert decision.reason in Reason
    assert len(decision.message) >= 15
    assert decision == decide(spec, current, dict(reversed(readings.items())), history, NOW)
    if decision.scale_to is not None:
        assert str(decision.scale_to) in decision.message
    for name in [move.name for move in decision.moves[:3]]:
        assert name in decision.message


def nobody_is_moved_twice_by_one_decision(case: Case) -> None:
    spec, _current, _readings, _history, decision = case
    drained = {victim.uid for victim in (decision.drain.victims if decision.drain else ())}
    released = {victim.uid for victim in decision.release}
    movers = {item.uid for item in decision.moves}
    assert not drained & released
    assert not movers & (drained | released)
    assert not (decision.moves and drained)
    assert len(drained) == len(decision.drain.victims if decision.drain else ())
    assert sum(item.connections for item in decision.moves) <= (spec.reconnects_per_second * spec.rebalance.cooldown)


def paused_dry_and_contested_fleets_are_not_touched(case: Case) -> None:
    spec, current, _readings, _history, decision = case
    if spec.paused or spec.dry_run or current.autoscalers:
        assert decision.scale_to is None
        assert decision.drain is None
        assert not decision.moves


def the_history_stays_small(case: Case) -> None:
    history = case.history
    for turn in range(3):
        history = decide(case.spec, case.current, case.readings, history, NOW + 5 * turn).history
    kept = history.recommendations
    distinct = len({item.replicas for item in kept})
    assert len(kept) <= max(2 * distinct, len(case.history.recommendations))
    assert len(history.changes) <= 200


@given(situations())
@MANY
def test_every_decision(situation: tuple[Spec, Fleet, dict[str, Sample], History]) -> None:
    case = Case(*situation, decide(*situation, NOW))
    a_change_stays_within_the_bounds(case)
    nothing_goes_down_on_missing_or_old_data(case)
    new_victims_are_the_emptiest(case)
    survivors_stay_below_the_cap_unless_the_maximum_binds(case)
    nobody_in_service_is_removed(case)
    it_explains_itself_and_can_be_replayed(case)
    nobody_is_moved_twice_by_one_decision(case)
    paused_dry_and_contested_fleets_are_not_touched(case)
    the_history_stays_small(case)


@given(specs(), fleets(), st.data())
@settings(max_examples=1500 // PARTS, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_recommendation_never_falls_while_load_rises(
    spec: Spec, seen: tuple[Fleet, dict[str, Sample]], data: st.DataObject
) -> None:
    current, readings = seen
    history = data.draw(histories(current))
    more = {
        uid: replace(sample, connections=sample.connections + data.draw(st.integers(0, 300), label=uid))
        for uid, sample in readings.items()
    }
    count = max(1, current.replicas)

    def recommended(loads: dict[str, Sample]) -> int | None:
        view = survey.take(current, loads, None, now=NOW, max_age=spec.max_sample_age)
        return recommendation.recommend(spec, view, count, history, NOW)

    before, after = recommended(readings), recommended(more)
    if before is None:
        assert after is None
    else:
        assert after is not None
        assert after >= before


@given(
    st.integers(1, 20),
    st.integers(20, 2000),
    st.sampled_from([0, 60, 300]),
    st.lists(st.floats(-0.099, 0.099, allow_nan=False), min_size=20, max_size=60),
    st.randoms(use_true_random=False),
)
@settings(max_examples=1000 // PARTS, deadline=None)
def test_noise_within_the_tolerance_changes_nothing(
    count: int, target: int, window: int, noise: list[float], placement: st.DrawFn
) -> None:
    spec = Spec(
        target="ws",
        target_per_pod=target,
        cap_per_pod=2 * target,
        min_replicas=1,
        max_replicas=50,
        down=Rules(window=window, policies=SPEC.down.policies),
    )
    history = History()
    for turn, amount in enumerate(noise):
        total = round(count * target * (1 + amount))
        total = min(max(total, math.ceil(count * target * 0.9)), math.floor(count * target * 1.1))
        loads = [total // count + (1 if index < total % count else 0) for index in range(count)]
        now = NOW + 5 * turn
        decision = decide(spec, fleet(loads), samples(loads, now), history, now)
        assert decision.scale_to is None
        assert decision.drain is None
        assert decision.desired == count
        history = decision.history


@pytest.mark.parametrize("kind", ["steady", "scale down", "rebalance", "scale up"])
def test_a_thousand_pods_cost_little(kind: str) -> None:
    loads = [400 + 7919 * index % 500 for index in range(1000)]
    if kind == "rebalance":
        loads = [load * (3 if index % 5 == 0 else 1) for index, load in enumerate(loads)]
    target = {"steady": 650, "scale down": 2000, "rebalance": 900, "scale up": 100}[kind]
    rules = replace(SPEC.rebalance, enabled=kind == "rebalance")
    spec = replace(SPEC, target_per_pod=target, cap_per_pod=5000, max_replicas=5000, rebalance=rules)
    spec = replace(spec, down=replace(SPEC.down, window=0))
    current, readings = fleet(loads), samples(loads)
    history = History(replicas=1000)
    decision = decide(spec, current, readings, history, NOW)
    assert {
        "steady": decision.reason is Reason.STEADY,
        "scale down": decision.drain is not None,
        "rebalance": bool(decision.moves),
        "scale up": decision.scale_to is not None,
    }[kind]

    def load(pod: Pod) -> tuple[int, str]:
        return readings[pod.uid].connections, pod.uid

    def best(action: object, rounds: int = 30) -> float:
        assert callable(action)
        fastest = math.inf
        for _ in range(rounds):
            began = time.perf_counter()
            action()
            fastest = min(fastest, time.perf_counter() - began)
        return fastest

    cost = best(lambda: decide(spec, current, readings, history, NOW))
    one_sort = best(lambda: sorted(current.pods, key=load))
    assert cost <= 20 * one_sort, f"{cost / one_sort:.1f} sorts"
