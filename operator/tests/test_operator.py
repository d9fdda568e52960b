"""Scaling up, drains and what happens in between, turn by turn, on a fake API server and stub pods."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_cluster import FakeCluster
from fake_pod import NAMESPACE
from harness import COST, Operator, begin, drained, reading, spec

from hunarmitra_operator.status import moment


async def test_a_scale_up(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(150, 150)
    cluster.create_scaler(spec(cluster.port))
    await operator.turns()
    assert cluster.scaled == [3]
    assert cluster.status["reason"] == "ScalingUp"
    assert cluster.status["pods"] == "2/2"
    assert cluster.condition("Ready") == "True"
    await operator.turns(4)
    assert cluster.scaled == [3]
    assert not cluster.status["history"].get("foreignChanges")
    assert [event["reason"] for event in cluster.events] == ["ScalingUp", "Rebalancing"]


async def test_a_scale_down_from_drain_to_termination(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator)
    assert drained(cluster) == {"ws-1", "ws-3", "ws-4"}
    assert {pod.name for pod in cluster.pods.values() if COST in pod.annotations} == drained(cluster)
    assert cluster.scaled == []
    assert cluster.condition("Draining") == "True"
    await operator.until("ScalingDown")
    assert cluster.scaled == [2]
    await operator.until("Steady")
    assert sorted(cluster.pods) == ["ws-0", "ws-2"]
    assert sum(pod.connections for pod in cluster.pods.values()) == 200
    assert cluster.moved == 70
    assert cluster.cut == 0
    assert "drain" not in cluster.status
    assert [event["reason"] for event in cluster.events] == ["DrainStarted", "ScalingDown"]


async def test_status_is_stored_before_anything_is_done(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator)
    stored = cluster.requests.index(
        ("PUT", "/apis/realtime.hunarmitra.io/v1alpha1/namespaces/shop/websocketscalers/sockets/status")
    )
    patched = next(i for i, (verb, _) in enumerate(cluster.requests) if verb == "PATCH")
    assert stored < patched
    assert [v["name"] for v in cluster.status["drain"]["victims"]] == ["ws-1", "ws-3", "ws-4"]


async def test_a_new_operator_finishes_the_drain(cluster: FakeCluster, operator: Operator, tmp_path: Path) -> None:
    await begin(cluster, operator)
    identity = cluster.status["drain"]["id"]
    await cluster.advance(10)
    second = Operator(cluster, tmp_path / "token")
    await second.turns()
    assert cluster.status["drain"]["id"] == identity
    await second.until("Steady")
    await second.stop()
    assert sorted(cluster.pods) == ["ws-0", "ws-2"]
    assert cluster.moved == 70, "nobody was moved twice"


async def test_without_an_operator_every_pod_returns(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator)
    await cluster.advance(31)
    assert drained(cluster) == set()
    assert all(pod.ready for pod in cluster.pods.values())


@pytest.mark.parametrize("away", [40, 65], ids=["before the deadline", "after it"])
async def test_people_who_came_back_after_a_lapse_are_not_removed(
    cluster: FakeCluster, operator: Operator, token: Path, away: int
) -> None:
    """Leases of 30 s end, clients connect again, and a new operator finds a drain of 60 s in the status."""
    await begin(cluster, operator)
    await cluster.advance(away)
    victims = [cluster.pods[name] for name in ("ws-1", "ws-3", "ws-4")]
    for pod in victims:
        assert pod.ready
        pod.connections = 15
    for index, amount in ((0, 80), (2, 75)):
        cluster.pod(index).connections = amount
    second = Operator(cluster, token)
    began = cluster.clock()
    await second.turns()
    assert cluster.scaled == []
    assert drained(cluster) == {pod.name for pod in victims}
    assert "back in service with 45 connections" in cluster.status["message"]
    assert moment(began + 60) == cluster.status["drain"]["deadline"]
    await second.until("Steady")
    await second.stop()
    assert sorted(cluster.pods) == ["ws-0", "ws-2"]
    assert all(pod.connections == 0 for pod in victims), "they were asked before they were removed"
    assert cluster.cut == 0


async def test_a_hung_pod_freezes_and_releases(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator, pods=reading(cluster, timeoutSeconds=2, maxSampleAgeSeconds=10))
    cluster.pod(0).hangs = True
    await operator.turns(4)
    assert cluster.condition("MetricsStale") == "True"
    assert drained(cluster) == set()
    assert not any(COST in pod.annotations for pod in cluster.pods.values())
    assert cluster.scaled == []
    assert {"DrainAborted", "MetricsStale"} <= {event["reason"] for event in cluster.events}
    cluster.pod(0).hangs = False
    await operator.turns(2)
    assert cluster.condition("MetricsStale") == "False"
    assert "MetricsStaleOver" in {event["reason"] for event in cluster.events}
    await operator.until("ScalingDown")


async def test_the_api_server_may_be_away_for_a_while(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator)
    victims = drained(cluster)
    cluster.away = True
    before = operator.loop.finished
    await operator.turns(7)
    assert drained(cluster) == victims, "leases of 30 s are renewed without the API server"
    assert operator.loop.finished == before
    cluster.away = False
    await operator.until("Steady")
    assert sorted(cluster.pods) == ["ws-0", "ws-2"]


async def test_a_restarted_container_is_drained_again(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator)
    victim = cluster.pods["ws-4"]
    victim.leases.clear()
    assert victim.ready
    await operator.turns()
    assert victim.leases


async def test_a_flash_crowd_in_mid_drain(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator)
    await operator.turns(2)
    for index in (0, 2):
        cluster.pod(index).connections += 400
    await operator.turns()
    assert drained(cluster) == set()
    assert cluster.scaled == [10]
    assert not any(COST in pod.annotations for pod in cluster.pods.values())


async def test_a_rollout_gives_the_drain_up(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator)
    cluster.pod(0).revision = "rs-2"
    await operator.turns()
    assert cluster.status["reason"] == "DrainAborted"
    assert drained(cluster) == set()


async def test_pause_releases_and_resume_continues(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator)
    cluster.edit(paused=True)
    await operator.turns()
    assert drained(cluster) == set()
    assert cluster.condition("Paused") == "True"
    assert cluster.condition("Ready") == "True"
    cluster.edit(paused=False)
    await operator.until("Draining")


async def test_a_deleted_resource_releases_its_victims(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator)
    cluster.scaler = None
    operator.loop.gone(NAMESPACE, "sockets")
    await operator.loop.turn()
    assert drained(cluster) == set()
    assert not any(COST in pod.annotations for pod in cluster.pods.values())
    assert operator.loop.scalers == {}


async def test_status_has_the_selector_of_the_scale_subresource(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(100, 100)
    cluster.create_scaler(spec(cluster.port))
    await operator.turns()
    assert cluster.status["selector"] == "app=ws"
