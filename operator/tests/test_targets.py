"""Targets of other kinds: a StatefulSet, which removes its highest ordinals, and a Rollout of Argo Rollouts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fake_cluster import FakeCluster
from fleets import NOW, SPEC, fleet, samples, settled
from harness import COST, Operator, begin, drained, spec
from hypothesis import given
from hypothesis import strategies as st

from hunarmitra_operator import specification, survey, victims
from hunarmitra_operator.decide import decide
from hunarmitra_operator.model import Drain, Kind, Ordinals, Reason, Victim, ordinal

BASE = "/apis/apps/v1/namespaces"
PARALLEL = {"podManagementPolicy": "Parallel"}


def of_kind(kind: str, **more: Any) -> dict[str, Any]:
    return {"name": "ws", "kind": kind, **more}


async def test_a_stateful_set_loses_its_highest_ordinals_and_these_are_drained(
    cluster: FakeCluster, operator: Operator
) -> None:
    cluster.kind = "StatefulSet"
    cluster.deployment["spec"] |= PARALLEL
    await begin(cluster, operator, 5, 60, 10, 70, 55, target=of_kind("StatefulSet"))
    assert drained(cluster) == {"ws-2", "ws-3", "ws-4"}
    assert "draining 3 pods with the highest ordinals, 135 connections in all" in cluster.events[-1]["message"]
    await operator.until("Steady")
    assert {pod.name for pod in cluster.living()} == {"ws-0", "ws-1"}
    assert cluster.cut == 0
    assert cluster.scaled == [2]
    assert all(COST not in pod.annotations for pod in cluster.pods.values())
    assert any(path.endswith("/statefulsets/ws/scale") for _, path in cluster.requests)
    assert not any("/replicasets" in path or "/deployments" in path for _, path in cluster.requests)


async def test_a_stateful_set_in_order_is_drained_pod_by_pod(cluster: FakeCluster, operator: Operator) -> None:
    cluster.kind = "StatefulSet"
    await begin(cluster, operator, 5, 60, 10, 70, 55, target=of_kind("StatefulSet"))
    assert drained(cluster) == {"ws-4"}
    assert "OrderedReady" in cluster.status["message"]
    await operator.until("Steady", 200)
    assert cluster.scaled == [4, 3, 2]
    assert cluster.cut == 0


async def test_a_replaced_victim_of_a_stateful_set_ends_the_drain(cluster: FakeCluster, operator: Operator) -> None:
    cluster.kind = "StatefulSet"
    cluster.deployment["spec"] |= PARALLEL
    await begin(cluster, operator, 5, 60, 10, 70, 55, target=of_kind("StatefulSet"))
    cluster.replace({"ws-4"})
    await operator.turns()
    assert cluster.status["reason"] == "DrainAborted"
    assert "ordinal 4" in cluster.status["message"]
    assert cluster.scaled == []


async def test_a_stateful_set_grows_through_its_scale(cluster: FakeCluster, operator: Operator) -> None:
    cluster.kind = "StatefulSet"
    await cluster.run_pods(250, 250)
    cluster.create_scaler(spec(cluster.port, target=of_kind("StatefulSet", apiVersion="apps/v1")))
    await operator.turns()
    assert cluster.scaled
    assert cluster.status["target"] == "StatefulSet/ws"


async def test_a_rollout_is_scaled_like_a_deployment(cluster: FakeCluster, operator: Operator) -> None:
    cluster.kind = "Rollout"
    selector = cluster.deployment["spec"].pop("selector")
    assert selector == {"matchLabels": {"app": "ws"}}
    cluster.deployment["status"] |= {"observedGeneration": "1", "selector": "app=ws"}
    await begin(cluster, operator, target=of_kind("Rollout"))
    assert "ws-1" in drained(cluster), "the emptiest"
    await operator.until("Steady")
    assert cluster.cut == 0
    assert any(path.endswith("/rollouts/ws/scale") and "argoproj.io" in path for _, path in cluster.requests)


async def test_a_rollout_without_a_selector_is_not_ready(cluster: FakeCluster, operator: Operator) -> None:
    cluster.kind = "Rollout"
    await cluster.run_pods(50)
    cluster.deployment["spec"].pop("selector")
    cluster.create_scaler(spec(cluster.port, target=of_kind("Rollout")))
    await operator.turns()
    assert cluster.status["reason"] == "TargetNotReady"


@pytest.mark.parametrize(
    ("kind", "words"),
    [("StatefulSet", "has no StatefulSet 'ws'"), ("Rollout", "Argo Rollouts is installed")],
)
async def test_a_missing_target_is_named_with_its_kind(
    cluster: FakeCluster, operator: Operator, kind: str, words: str
) -> None:
    await cluster.run_pods(50)
    cluster.create_scaler(spec(cluster.port, target=of_kind(kind)))
    await operator.turns()
    assert cluster.status["reason"] == "TargetNotFound"
    assert words in cluster.status["message"]


async def test_a_missing_right_names_the_resource(cluster: FakeCluster, operator: Operator) -> None:
    cluster.kind = "StatefulSet"
    cluster.rejection = (403, "no")
    await cluster.run_pods(250, 250)
    cluster.create_scaler(spec(cluster.port, target=of_kind("StatefulSet")))
    await operator.turns()
    assert cluster.status["reason"] == "Forbidden"
    assert "statefulsets/scale of ws" in cluster.status["message"]


async def test_an_autoscaler_of_another_kind_is_not_a_conflict(cluster: FakeCluster, operator: Operator) -> None:
    reference = {"kind": "Deployment", "name": "ws"}
    cluster.autoscalers = [{"metadata": {"name": "hpa"}, "spec": {"scaleTargetRef": reference}}]
    cluster.kind = "StatefulSet"
    await cluster.run_pods(50)
    cluster.create_scaler(spec(cluster.port, target=of_kind("StatefulSet")))
    cluster.create_second(spec(cluster.port))
    await operator.turns()
    assert cluster.condition("Conflict") == "False"
    reference["kind"] = "StatefulSet"
    await operator.turns(8)
    assert cluster.condition("Conflict") == "True"


def test_the_spec_names_the_kind() -> None:
    raw = spec(8082)
    assert specification.read(raw).kind is Kind.DEPLOYMENT
    assert specification.read(raw | {"target": of_kind("Rollout")}).target_id == "Rollout/ws"
    with pytest.raises(specification.SpecError, match="unknown kind 'DaemonSet'; use Deployment, StatefulSet, Rollout"):
        specification.read(raw | {"target": of_kind("DaemonSet")})
    with pytest.raises(specification.SpecError, match=r"Rollout has 'argoproj\.io/v1alpha1', not 'apps/v1'"):
        specification.read(raw | {"target": of_kind("Rollout", apiVersion="apps/v1")})


@given(st.lists(st.integers(0, 200), min_size=1, max_size=20), st.integers(0, 25), st.booleans())
def test_victims_are_always_the_highest_ordinals(loads: list[int], count: int, one_by_one: bool) -> None:
    current = fleet(loads)
    seen = survey.take(current, samples(loads), None, now=NOW, max_age=30)
    plan = victims.plan(SPEC, seen, count, ordinals=Ordinals(len(loads) - 1, one_by_one))
    chosen = [ordinal(victim.name) for victim in plan.victims]
    assert chosen == list(range(len(loads) - 1, len(loads) - 1 - len(chosen), -1))
    assert len(chosen) <= (1 if one_by_one else min(count, len(loads) - 1))
    left = loads[: len(loads) - len(chosen)]
    if chosen:
        assert max(left) + -(-sum(loads[len(left) :]) // len(left)) <= SPEC.cap_per_pod


def test_a_gap_below_the_highest_ordinal_stops_the_choice() -> None:
    loads = [10, 10, None, 10]
    seen = survey.take(fleet(loads), samples(loads), None, now=NOW, max_age=30)
    plan = victims.plan(SPEC, seen, 3, ordinals=Ordinals(3, one_by_one=False))
    assert [victim.name for victim in plan.victims] == ["ws-3"]
    assert "ordinal 2" in plan.limit


def test_the_lowest_ordinal_returns_first() -> None:
    loads = [90, 90, 0, 60]
    current = replace(fleet(loads), ordinals=Ordinals(3, one_by_one=False))
    drain = Drain("d", 2, (Victim("uid-0003", "ws-3"), Victim("uid-0002", "ws-2")), NOW - 5, NOW + 60)
    decision = decide(SPEC, current, samples(loads), replace(settled(4, 3), drain=drain), NOW)
    assert decision.reason is Reason.RETURNED
    assert [victim.name for victim in decision.release] == ["ws-2"]
