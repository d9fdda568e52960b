"""Metrics besides connections: the largest recommendation counts, and a missing metric never removes a pod."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle

import pytest
from fake_cluster import FakeCluster
from fake_pod import NAMESPACE
from fleets import NOW, SPEC, fleet, fleets, histories, samples, specs
from harness import Operator, drained, spec
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from hunarmitra_operator import demand, survey
from hunarmitra_operator.decide import decide
from hunarmitra_operator.model import Decision, Fleet, History, Metric, Reason, Sample, Spec
from hunarmitra_operator.podclient import further_metrics

DELAY = "event_loop_delay_ms"
WITH_DELAY = replace(SPEC, metrics=(Metric(DELAY, 50),))


def reported(loads: list[int], values: list[float | None]) -> dict[str, Sample]:
    """Return fresh samples with a delay; None is a pod that does not report it."""
    return {
        uid: replace(sample, metrics={} if value is None else {DELAY: value})
        for (uid, sample), value in zip(samples(loads).items(), values, strict=True)
    }


def decided(loads: list[int], values: list[float | None], chosen: Spec = WITH_DELAY) -> Decision:
    return decide(chosen, fleet(loads), reported(loads, values), History(replicas=len(loads)), NOW)


@pytest.mark.parametrize(
    ("values", "replicas"),
    [
        ([80, 80, 80], 5),
        ([52, 52, 52], 3),  # within the tolerance
        ([20, 20, 20], 2),  # as if there were no metric
        ([9000, 0, 0], 2),  # one stalled pod counts with twice the target
        ([9000, 9000, 9000], 6),
        ([90, 90, None], 4),
    ],
)
def test_the_metric_asks_for_replicas(values: list[float | None], replicas: int) -> None:
    seen = survey.take(fleet([50] * 3), reported([50] * 3, values), None, now=NOW, max_age=30)
    assert demand.demands(WITH_DELAY, seen, 3)[0].replicas == replicas


def test_the_largest_recommendation_decides_and_is_explained() -> None:
    busy = decided([100, 100], [80, 80])
    assert (busy.recommended, busy.decided_by, busy.scale_to) == (4, DELAY, 4)
    assert "4 replicas needed, as event_loop_delay_ms is 80 on average of a target of 50" in busy.message
    crowded = decided([200, 200, 200], [80, 80, 80])
    assert (crowded.recommended, crowded.decided_by) == (6, "connections")
    assert "event_loop_delay_ms" not in crowded.message


def test_a_metric_that_keeps_the_pods_says_so() -> None:
    kept = decided([10, 10, 10], [50, 50, 50])
    assert (kept.reason, kept.decided_by) == (Reason.STEADY, DELAY)
    assert "event_loop_delay_ms is 50 on average of a target of 50: nothing to do" in kept.message


def test_a_missing_metric_keeps_every_pod_and_lets_connections_add_some() -> None:
    idle = replace(WITH_DELAY, down=replace(SPEC.down, window=0))
    assert decided([10, 10, 10], [1, 1, 1], idle).reason is Reason.DRAINING
    frozen = decided([10, 10, 10], [1, None, 1], idle)
    assert (frozen.reason, frozen.drain, frozen.scale_to) == (Reason.STALE, None, None)
    assert "ws-1 does not report event_loop_delay_ms" in frozen.message
    assert decided([150, 150], [None, None]).scale_to == 3


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=12), st.data())
def test_the_demand_never_falls_while_a_value_rises(values: list[float], data: st.DataObject) -> None:
    loads = [0] * len(values)
    current = data.draw(st.integers(1, 15))
    index = data.draw(st.integers(0, len(values) - 1))
    higher = [*values]
    higher[index] += data.draw(st.floats(0, 500))

    def asked(given: list[float]) -> int:
        seen = survey.take(fleet(loads), reported(loads, [*given]), None, now=NOW, max_age=30)
        return demand.demands(WITH_DELAY, seen, current)[0].replicas or 0

    assert asked(values) <= asked(higher)


VALUES = st.one_of(st.none(), st.floats(0, 200))


@settings(max_examples=60, deadline=None)
@given(fleets(), specs(), st.data())
def test_a_further_metric_only_adds_replicas(
    situation: tuple[Fleet, dict[str, Sample]], alone: Spec, data: st.DataObject
) -> None:
    current, readings = situation
    history = data.draw(histories(current))
    also = replace(alone, metrics=(Metric(DELAY, data.draw(st.integers(1, 100))),))
    values = cycle(data.draw(st.lists(VALUES, min_size=1, max_size=4)))
    with_metric = {
        uid: replace(sample, metrics={} if (value := next(values)) is None else {DELAY: value})
        for uid, sample in readings.items()
    }
    fewer = decide(alone, current, readings, history, NOW)
    more = decide(also, current, with_metric, history, NOW)
    if fewer.drain is None and history.drain is None:  # else the two count from different numbers of pods
        assert more.recommended >= fewer.recommended
        assert (more.scale_to or current.replicas) >= (fewer.scale_to or current.replicas)
    if more.missing:
        scaled_before = history.drain is not None and history.drain.scaled is not None
        assert more.drain is None or scaled_before
        assert more.scale_to is None or more.scale_to > current.replicas


def test_only_numbers_are_read() -> None:
    raw = {"a": 1, "b": 2.5, "c": "3", "d": True, "e": -1, "f": float("nan"), "g": None, "h": float("inf")}
    assert further_metrics(raw) == {"a": 1.0, "b": 2.5}
    assert further_metrics([1]) == further_metrics(None) == {}


def gauge(name: str) -> float | None:
    labels = {"namespace": NAMESPACE, "name": "sockets", "metric": DELAY}
    return REGISTRY.get_sample_value(f"hunarmitra_operator_metric_{name}", labels)


async def test_on_a_cluster_the_metric_scales_up_and_a_pod_without_it_ends_a_drain(
    cluster: FakeCluster, operator: Operator
) -> None:
    await cluster.run_pods(50, 50)
    for pod in cluster.pods.values():
        pod.metrics = {DELAY: 80.25, "unused": 3}
    cluster.create_scaler(spec(cluster.port, metrics=[{"name": DELAY, "targetPerPod": 50}]))
    await operator.turns()
    assert cluster.scaled == [4]
    assert cluster.status["decidedBy"] == DELAY
    assert cluster.status["metrics"] == [{"name": DELAY, "targetPerPod": 50, "averagePerPod": "80.250", "replicas": 4}]
    assert (gauge("average"), gauge("target"), gauge("replicas")) == (80.25, 50, 4)
    for _ in range(4):  # until the new pods are ready
        for pod in cluster.pods.values():
            pod.metrics = {DELAY: 1}
        await operator.turns()
    await operator.until("Draining")
    assert cluster.condition("MetricsStale") == "False"
    for pod in cluster.pods.values():
        pod.metrics = {}
    await operator.turns()
    assert cluster.status["reason"] == "DrainAborted"
    assert "not report event_loop_delay_ms" in cluster.status["message"]
    assert cluster.condition("MetricsStale") == "True"
    assert not drained(cluster)
    assert gauge("average") is None, "a metric that no pod reports has no series"
