"""The operator on a real cluster, with stub pods."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster.conftest import (
    NAMESPACE,
    Json,
    Operator,
    apply,
    as_operator,
    call,
    eventually,
    get,
    is_ready,
    kubectl,
    scaler,
    spec,
    ws_pods,
)

Fleet = Callable[[list[int]], dict[str, Json]]
COST = "controller.kubernetes.io/pod-deletion-cost"


def condition(kind: str) -> str:
    """Return the status of a condition, or an empty string."""
    conditions = scaler().get("status", {}).get("conditions", [])
    return next((c["status"] for c in conditions if c["type"] == kind), "")


def draining() -> list[str]:
    """Return the names of the victims in status."""
    return [victim["name"] for victim in scaler().get("status", {}).get("drain", {}).get("victims", [])]


def replicas() -> int:
    return int(get("deployment", "ws")["spec"]["replicas"])


def events() -> set[str]:
    items = get("events", "--field-selector", "involvedObject.kind=WebSocketScaler")["items"]
    return {item["reason"] for item in items}


@pytest.mark.usefixtures("installed")
def test_the_definition_explains_itself() -> None:
    def explained() -> bool:
        return "Known peaks" in kubectl("explain", "wss.spec", check=False).stdout

    eventually(explained, "kubectl does not know it")  # its discovery may be a moment behind
    drain = kubectl("explain", "websocketscalers.spec.drain").stdout
    assert "returns to service by itself" in " ".join(drain.split())


@pytest.mark.usefixtures("installed")
def test_the_api_server_fills_in_the_defaults() -> None:
    apply(spec(scaleDown={}, drain={}, pods={}))
    stored = scaler()["spec"]
    kubectl("delete", "-n", NAMESPACE, "wss", "sockets")
    assert stored["scaleDown"]["stabilizationWindowSeconds"] == 300
    assert stored["scaleUp"]["policies"][1] == {"type": "Pods", "value": 4, "periodSeconds": 15}
    assert stored["drain"] == {"windowSeconds": 120, "leaseSeconds": 60}
    assert stored["rebalance"]["enabled"] is True
    assert stored["connectionsPerPod"]["considerFullestPod"] is True


PEAK = {"name": "a", "start": "18:00", "end": "21:00", "minReplicas": 3}


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"minReplicas": 7}, "minReplicas must not be greater than maxReplicas"),
        ({"connectionsPerPod": {"target": 200, "cap": 150}}, "target must not be greater than cap"),
        ({"connectionsPerPod": {"target": 0, "cap": 150}}, "greater than or equal to 1"),
        ({"connectionsPerPod": {"target": 100}}, "cap: Required"),
        ({"target": {"name": "Not A Name"}}, "target.name"),
        ({"maxReplicas": 100000}, "less than or equal to 10000"),
        ({"schedule": [PEAK | {"minReplicas": 9}]}, "no scheduled minReplicas"),
        ({"schedule": [PEAK | {"end": "18:00"}]}, "start and end must differ"),
        ({"schedule": [PEAK | {"start": "25:00"}]}, "start"),
        ({"schedule": [PEAK | {"days": ["Someday"]}]}, "Unsupported value"),
        ({"schedule": [PEAK, PEAK]}, "Duplicate"),
        ({"scaleUp": {"policies": []}}, "at least one policy is needed"),
        ({"scaleUp": {"policies": [{"type": "Percent", "value": 0, "periodSeconds": 15}]}}, "value"),
        ({"scaleDown": {"selectPolicy": "Sometimes"}}, "Unsupported value"),
        ({"drain": {"windowSeconds": 20, "leaseSeconds": 300}}, "leaseSeconds must not be longer"),
        ({"drain": {"leaseSeconds": 1}}, "greater than or equal to 15"),
        ({"reconnectsPerSecond": 0}, "greater than or equal to 1"),
        ({"pods": {"controlPort": 70000}}, "less than or equal to 65535"),
        ({"paused": "maybe"}, "boolean"),
        ({"drian": {}}, "unknown field"),
    ],
)
def test_the_api_server_rejects_a_spec_that_makes_no_sense(change: Json, complaint: str) -> None:
    done = apply(spec(**change), check=False)
    assert done.returncode != 0
    assert complaint in done.stderr


def test_pods_are_drained_emptiest_first_and_then_removed(fleet: Fleet, operator: Operator) -> None:
    pods = list(fleet([90, 5, 80, 10]))
    apply(spec())
    operator.start()
    eventually(draining, "no drain began")
    assert draining() == [pods[1], pods[3], pods[2]][: len(draining())]
    assert len(draining()) == 2
    eventually(lambda: replicas() == 2, "never scaled down")
    eventually(lambda: set(ws_pods()) == {pods[0], pods[2]}, "the wrong pods were removed")
    eventually(lambda: scaler()["status"]["reason"] == "Steady", "it never became steady")
    assert {"DrainStarted", "ScalingDown"} <= events()
    shown = kubectl("get", "-n", NAMESPACE, "wss").stdout.split("\n")
    assert shown[0].split() == ["NAME", "CONNECTIONS", "PODS", "DESIRED", "READY", "REASON", "AGE"]
    assert shown[1].split()[:6] == ["sockets", "170", "2/2", "2", "True", "Steady"]
    assert condition("Ready") == "True"


def test_load_adds_pods_and_they_get_their_share(fleet: Fleet, operator: Operator) -> None:
    fleet([150, 150])
    apply(spec())
    operator.start()
    eventually(lambda: replicas() == 3, "never scaled up")
    eventually(lambda: "Rebalancing" in events(), "nothing was moved to the new pod")


def test_killed_in_mid_drain_and_restarted_it_finishes(fleet: Fleet, operator: Operator) -> None:
    pods = list(fleet([90, 5, 80]))
    apply(spec())
    operator.start()
    eventually(draining, "no drain began")
    operator.kill()
    assert replicas() == 3
    operator.start()
    eventually(lambda: set(ws_pods()) == {pods[0], pods[2]}, "the drain was not finished")


def test_killed_for_good_every_pod_returns(fleet: Fleet, operator: Operator) -> None:
    fleet([90, 5, 80])
    apply(spec())
    operator.start()
    eventually(lambda: not all(map(is_ready, ws_pods().values())), "no victim left the rotation")
    operator.kill()
    eventually(lambda: all(map(is_ready, ws_pods().values())), "a pod stayed drained", 30)
    assert replicas() == 3


def test_deleting_the_resource_in_mid_drain_leaves_nothing(fleet: Fleet, operator: Operator) -> None:
    fleet([90, 5, 80])
    apply(spec())
    operator.start()
    eventually(draining, "no drain began")
    kubectl("delete", "-n", NAMESPACE, "wss", "sockets", "--timeout=5s")
    eventually(lambda: all(map(is_ready, ws_pods().values())), "a pod stayed drained", 30)
    assert replicas() == 3


def test_an_hpa_on_the_same_deployment_is_a_conflict(fleet: Fleet, operator: Operator) -> None:
    fleet([150, 150])
    kubectl("autoscale", "-n", NAMESPACE, "deployment", "ws", "--min=2", "--max=3", "--cpu-percent=80")
    apply(spec())
    operator.start()
    eventually(lambda: condition("Conflict") == "True", "no conflict was seen")
    assert condition("Ready") == "False"
    assert "Conflict" in events()
    assert "HorizontalPodAutoscaler/ws" in scaler()["status"]["message"]


def test_an_unlabelled_deployment_is_left_alone(fleet: Fleet, operator: Operator) -> None:
    fleet([150, 150])
    kubectl("label", "-n", NAMESPACE, "deployment", "ws", "realtime.hunarmitra.io/scalable-")
    apply(spec())
    operator.start()
    eventually(lambda: condition("Ready") == "False", "it did not complain")
    assert scaler()["status"]["reason"] == "TargetNotLabelled"
    assert replicas() == 2


def test_a_rollout_in_mid_drain_gives_it_up(fleet: Fleet, operator: Operator) -> None:
    fleet([90, 5, 80])
    apply(spec())
    operator.start()
    eventually(draining, "no drain began")
    kubectl("rollout", "restart", "-n", NAMESPACE, "deployment", "ws")
    eventually(lambda: "DrainAborted" in events(), "the drain went on")


@pytest.mark.parametrize(
    ("patch", "allowed"),
    [
        ({"metadata": {"annotations": {COST: "-2147483648"}}}, True),
        ({"metadata": {"annotations": {COST: None}}}, True),
        ({"metadata": {"annotations": {"other": "1"}}}, False),
        ({"metadata": {"annotations": {COST: "1", "other": "1"}}}, False),
        ({"metadata": {"labels": {"app": "stolen"}}}, False),
        ({"metadata": {"finalizers": ["example.com/stuck"]}}, False),
        ({"spec": {"activeDeadlineSeconds": 1}}, False),
    ],
)
def test_the_operator_may_write_a_pods_deletion_cost_alone(
    fleet: Fleet, tmp_path: Path, patch: Json, allowed: bool
) -> None:
    name = next(iter(fleet([1])))
    status, text = as_operator(tmp_path, "PATCH", f"/api/v1/namespaces/{NAMESPACE}/pods/{name}", patch)
    assert (status == 200) is allowed, text
    if not allowed:
        assert "the operator may" in text


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("verb", "what"),
    [
        ("delete", "pods"),
        ("create", "pods"),
        ("get", "secrets"),
        ("list", "secrets"),
        ("update", "deployments"),
        ("update", "deployments/scale.apps/other"),
        ("patch", "websocketscalers"),
        ("list", "nodes"),
    ],
)
def test_the_operator_may_not(verb: str, what: str) -> None:
    who = "--as=system:serviceaccount:hunarmitra:hunarmitra-operator"
    resource, _, name = what.partition("/other")
    arguments = [verb, f"{resource}/other"] if name else [verb, resource]
    done = kubectl("auth", "can-i", *arguments, "-n", NAMESPACE, who, check=False)
    assert done.stdout.strip() == "no"


def test_it_answers_probes_and_talks_little(fleet: Fleet, operator: Operator) -> None:
    fleet([100, 100])
    apply(spec())
    operator.start()
    eventually(lambda: condition("Ready") == "True", "it never decided")
    assert operator.metric("process_resident_memory_bytes") < 100e6
    call(next(iter(ws_pods().values())), "/connections")


def test_it_costs_little_at_twenty_pods(fleet: Fleet, operator: Operator) -> None:
    """Measured by its own process metrics, over OPERATOR_TEST_MINUTES (default 2), at its default interval."""
    minutes = float(os.environ.get("OPERATOR_TEST_MINUTES", "2"))
    fleet([100] * 20)
    apply(spec(minReplicas=20, maxReplicas=20))
    operator.arguments[operator.arguments.index("--interval") + 1] = "5"
    operator.start()
    eventually(lambda: condition("Ready") == "True", "it never decided")
    before, began = costs(operator), time.monotonic()
    time.sleep(60 * minutes)  # what is measured is time, and there is nothing to wait for
    took = time.monotonic() - began
    spent = {name: value - before[name] for name, value in costs(operator).items()}
    memory = operator.metric("process_resident_memory_bytes")
    api, pods = (60 * spent[f"hunarmitra_operator_{kind}_requests_total"] / took for kind in ("api", "pod"))
    core = 100 * spent["process_cpu_seconds_total"] / took
    told = f"{api:.0f} requests to the API server and {pods:.0f} to pods per minute"
    sys.stdout.write(f"{minutes:g} minutes: {told}, {core:.2f} % of a core, {memory / 1e6:.0f} MB\n")
    assert memory < 100e6
    assert core < 1
    assert api < 120
    assert 200 <= pods <= 280, "each pod once a turn"


def costs(operator: Operator) -> dict[str, float]:
    names = ("process_cpu_seconds_total", "hunarmitra_operator_api_requests_total")
    return {name: operator.total(name) for name in (*names, "hunarmitra_operator_pod_requests_total")}
