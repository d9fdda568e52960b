"""Writes that the API server rejects, and changes that get in between: what people see, and that scaling goes on."""

from __future__ import annotations

import logging

import pytest
from fake_cluster import FakeCluster
from harness import Operator, begin, spec

from hunarmitra_operator.kubernetes import AGENT


def reasons(cluster: FakeCluster, kind: str = "Warning") -> list[str]:
    return [event["reason"] for event in cluster.events if event["type"] == kind]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((403, "deployments.apps 'ws' is forbidden: cannot update resource 'deployments/scale'"), "Forbidden"),
        ((422, "ValidatingAdmissionPolicy 'quota' denied request: too many"), "ScaleRejected"),
        ((409, "the object has been modified"), "ScaleConflict"),
    ],
)
async def test_a_rejected_number_of_replicas_is_shown_at_once(
    cluster: FakeCluster, operator: Operator, answer: tuple[int, str], reason: str
) -> None:
    await cluster.run_pods(250, 250)
    cluster.create_scaler(spec(cluster.port))
    cluster.rejection = answer
    await operator.turns(2 if answer[0] == 409 else 1)
    assert cluster.condition("Ready") == "False"
    assert cluster.status["reason"] == reason
    assert "from 2 to " in cluster.status["message"]
    assert answer[1] in cluster.status["message"]
    await operator.turns(5)
    assert reasons(cluster) == [reason], "one Event"
    assert reasons(cluster, "Normal").count("ScalingUp") <= 2
    cluster.rejection = None
    await operator.turns(2)
    assert cluster.scaled
    assert cluster.condition("Ready") == "True"


async def test_a_rejection_is_over_when_nothing_has_to_be_written(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(250, 250)
    cluster.create_scaler(spec(cluster.port))
    cluster.rejection = (422, "too many")
    await operator.turns()
    for pod in cluster.pods.values():
        pod.connections = 100
    await operator.turns()
    assert cluster.condition("Ready") == "True"
    assert cluster.scaled == []


@pytest.mark.parametrize("changes", [1, 2])
async def test_a_deployment_that_changes_does_not_stop_scaling_up(
    cluster: FakeCluster, operator: Operator, changes: int
) -> None:
    await cluster.run_pods(150, 150)
    cluster.create_scaler(spec(cluster.port))
    cluster.busy = changes
    await operator.turns()
    assert cluster.scaled == [3]
    assert cluster.condition("Ready") == "True"


async def test_somebody_elses_number_is_not_overwritten(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(150, 150)
    cluster.create_scaler(spec(cluster.port))
    cluster.scale_before_write = 7
    await operator.turns()
    assert cluster.scaled == []
    assert cluster.deployment["spec"]["replicas"] == 7


@pytest.mark.parametrize("changes", [1, 50])
async def test_a_resource_that_changes_does_not_stop_scaling_up(
    cluster: FakeCluster, operator: Operator, changes: int
) -> None:
    await cluster.run_pods(150, 150)
    cluster.create_scaler(spec(cluster.port))
    cluster.busy_scaler = changes
    await operator.turns()
    assert cluster.scaled == [3]


async def test_an_autoscaler_on_the_same_deployment_makes_one_event(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(100, 100)
    cluster.autoscalers = [
        {"metadata": {"name": "ws"}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "ws"}}}
    ]
    cluster.create_scaler(spec(cluster.port))
    await operator.turns(3)
    assert reasons(cluster) == ["Conflict"]


async def test_a_target_that_the_role_does_not_name_is_said_to_be_missing(
    cluster: FakeCluster, operator: Operator
) -> None:
    await cluster.run_pods(100, 100)
    cluster.readable = {"ws"}
    cluster.create_scaler(spec(cluster.port, target={"name": "wss"}))
    await operator.turns()
    assert cluster.status["reason"] == "TargetNotFound"
    assert "check spec.target.name" in cluster.status["message"]
    cluster.readable = set()
    cluster.edit(target={"name": "ws"})
    await operator.turns()
    assert cluster.status["reason"] == "Forbidden", "it exists: its ReplicaSets are there"


async def test_requests_carry_the_operators_name(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator)
    await operator.until("ScalingDown")
    assert cluster.agents == {AGENT}
    assert cluster.managers == {AGENT}
    assert cluster.writes == {
        ("PUT", "websocketscalers/status", "application/json"),
        ("PUT", "deployments/scale", "application/json"),
        ("PATCH", "pods", "application/merge-patch+json"),
        ("POST", "events", "application/json"),
    }, "an apply would keep a drain in the status, and create pods that are gone"


async def test_a_drain_overtaken_by_a_rollout_ends_with_an_event(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator)
    victims = {item["name"] for item in cluster.status["drain"]["victims"]}
    cluster.replace(victims)
    await operator.turns()
    assert "drain" not in cluster.status
    [event] = [event for event in cluster.events if event["reason"] == "DrainAborted"]
    assert all(name in event["message"] for name in victims)
    await operator.turns(3)
    assert reasons(cluster).count("DrainAborted") == 1


async def test_a_deletion_in_mid_turn_is_not_a_warning(
    cluster: FakeCluster, operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    await begin(cluster, operator)
    cluster.delete_before_status = True
    cluster.vanished = {pod.name for pod in cluster.pods.values()}
    with caplog.at_level(logging.WARNING):
        await operator.turns(3)
    assert operator.loop.scalers == {}
    assert [record.getMessage() for record in caplog.records] == []


async def test_a_deployment_deleted_in_mid_turn_is_not_a_warning(
    cluster: FakeCluster, operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    await cluster.run_pods(250, 250)
    cluster.create_scaler(spec(cluster.port))
    cluster.rejection = (404, "deployments.apps 'ws' not found")
    with caplog.at_level(logging.WARNING):
        await operator.turns()
    assert cluster.condition("Ready") == "True"
    assert caplog.records == []


async def test_an_api_server_that_is_overloaded_is_not_a_rejection(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(250, 250)
    cluster.create_scaler(spec(cluster.port))
    cluster.rejection = (503, "the server is currently unable to handle the request")
    await operator.turns(2)
    assert cluster.condition("Ready") == "True"
    cluster.rejection = None
    await operator.turns()
    assert cluster.scaled
