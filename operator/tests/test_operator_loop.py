"""Everything around a drain, turn by turn: conflicts, problems, rebalancing, fences, requests and probes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from fake_cluster import FakeCluster
from fake_pod import NAMESPACE, TOKEN, Clock, StubPod
from harness import COST, Operator, begin, drained, reading, spec

from hunarmitra_operator.model import Control, Pod
from hunarmitra_operator.podclient import Reading
from hunarmitra_operator.status import moment
from hunarmitra_operator.web import application


async def test_a_wrong_token_is_no_reading(cluster: FakeCluster, operator: Operator, tmp_path: Path) -> None:
    await cluster.run_pods(10, 10, 10)
    cluster.create_scaler(spec(cluster.port))
    (tmp_path / "token").write_text("old\n")
    await operator.turns(3)
    assert cluster.status["reason"] == "NoData"
    assert cluster.scaled == []
    (tmp_path / "token").write_text(TOKEN)
    await operator.until("Draining")


async def test_another_target_begins_anew(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator)
    cluster.edit(target={"name": "other"})
    await operator.turns(2)
    assert drained(cluster) == set()
    assert not any(COST in pod.annotations for pod in cluster.pods.values())
    assert cluster.status["target"] == "other"
    assert cluster.status["currentReplicas"] == 7
    assert not cluster.status["history"]["foreignChanges"]
    assert "drain" not in cluster.status


async def test_another_autoscaler_is_a_conflict(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(400, 400)
    cluster.autoscalers = [
        {"metadata": {"name": "ws"}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "ws"}}}
    ]
    cluster.create_scaler(spec(cluster.port))
    await operator.turns(2)
    assert cluster.scaled == []
    assert cluster.condition("Conflict") == "True"
    assert cluster.condition("Ready") == "False"
    cluster.autoscalers = []
    await operator.turns(8)
    assert cluster.condition("Conflict") == "False"
    assert cluster.scaled


async def test_somebody_elses_number_is_adopted(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(50, 50, 50)
    down = {"stabilizationWindowSeconds": 300}
    cluster.create_scaler(spec(cluster.port, scaleDown=down))
    await operator.turns(2)
    cluster.scale(5)
    await operator.turns(5)
    assert cluster.status["reason"] == "ReplicasSetElsewhere"
    assert cluster.status["desiredReplicas"] == 5
    cluster.scale(6)
    await operator.turns(2)
    assert cluster.condition("Conflict") == "True"


async def test_a_dry_run_touches_nothing(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(70, 5, 60, 10, 55)
    cluster.create_scaler(spec(cluster.port, dryRun=True))
    await operator.turns(3)
    assert "would drain" in cluster.status["message"]
    assert not any(verb == "PATCH" for verb, _ in cluster.requests)
    assert all(pod.calls == [] for pod in cluster.pods.values())


@pytest.mark.parametrize(
    ("problem", "reason"),
    [("label", "TargetNotLabelled"), ("zone", "InvalidSpec"), ("name", "TargetNotFound")],
)
async def test_trouble_with_the_target_is_said(
    cluster: FakeCluster, operator: Operator, problem: str, reason: str
) -> None:
    await cluster.run_pods(400)
    peak = {"name": "a", "start": "18:00", "end": "19:00", "minReplicas": 2, "timeZone": "Mars/North"}
    cluster.create_scaler(
        spec(cluster.port)
        | ({"schedule": [peak]} if problem == "zone" else {})
        | ({"target": {"name": "missing"}} if problem == "name" else {})
    )
    if problem == "label":
        cluster.deployment["metadata"]["labels"] = {}
    await operator.turns(3)
    assert cluster.condition("Ready") == "False"
    assert cluster.status["reason"] == reason
    assert [event["reason"] for event in cluster.events] == [reason]
    assert cluster.scaled == []


async def test_rebalancing_moves_connections_in_slices(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(140, 140, 10, 10)
    cluster.create_scaler(
        spec(
            cluster.port,
            reconnectsPerSecond=20,
            connectionsPerPod={"target": 75, "cap": 150, "considerFullestPod": False},
        )
    )
    await operator.loop.turn()
    scaler = operator.loop.scalers[NAMESPACE, "sockets"]
    pauses = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    scaler.actor.sleep = sleep
    assert scaler.actor.rebalancing is not None
    await scaler.actor.rebalancing
    slices = [amount for pod in cluster.pods.values() for name, amount in pod.calls if name == "shed"]
    assert sum(slices) == 130
    assert max(slices) <= 20
    assert cluster.pod(0).connections == cluster.pod(1).connections == 75
    assert cluster.events[-1]["reason"] == "Rebalancing"


async def test_a_resource_that_changed_meanwhile_is_not_acted_upon(
    cluster: FakeCluster, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cluster.run_pods(150, 150)
    cluster.create_scaler(spec(cluster.port))
    read = operator.loop.clients.readings

    async def edited_meanwhile(pods: Iterable[Pod], control: Control) -> dict[str, Reading | None]:
        cluster.edit(paused=True)
        return await read(pods, control)

    with monkeypatch.context() as patch:
        patch.setattr(operator.loop.clients, "readings", edited_meanwhile)
        await operator.turns()
    assert cluster.scaled == []
    cluster.edit(paused=False)
    await operator.turns()
    assert cluster.scaled == [3]


async def test_a_deployment_that_changed_meanwhile_is_not_scaled_down(
    cluster: FakeCluster, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begin(cluster, operator)
    read = operator.loop.clients.readings

    async def touched_meanwhile(pods: Iterable[Pod], control: Control) -> dict[str, Reading | None]:
        cluster._bump(cluster.deployment)
        return await read(pods, control)

    with monkeypatch.context() as patch:
        patch.setattr(operator.loop.clients, "readings", touched_meanwhile)
        await operator.until("ScalingDown")
        assert cluster.scaled == []
        assert cluster.condition("Ready") == "True", "one lost write is not a problem"
    await operator.turns()
    assert cluster.scaled == [2]
    assert not cluster.status["history"]["foreignChanges"]


async def test_a_quiet_fleet_costs_few_writes(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(100, 100)
    cluster.create_scaler(spec(cluster.port))
    await operator.turns(13)
    cluster.requests.clear()
    await operator.turns(12)
    writes = [path for verb, path in cluster.requests if verb != "GET"]
    assert len(writes) <= 2, writes
    assert len(cluster.requests) <= 12 * 4 + 2 * 2 + 2
    assert cluster.events == []


async def test_twenty_pods_are_read_at_once(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(*[100] * 20)
    cluster.create_scaler(spec(cluster.port, maxReplicas=20, pods=reading(cluster, timeoutSeconds=5)))
    for index in range(5):
        cluster.pod(index).hangs = True
    turn = asyncio.create_task(operator.loop.turn())
    async with asyncio.timeout(30):
        while not all(cluster.pod(index).hanging for index in range(5)):
            assert not turn.done(), "pods that hang are waited for together"
            await asyncio.sleep(0.01)
    await turn
    assert len(operator.loop.scalers[NAMESPACE, "sockets"].samples) == 15


async def test_the_probes_and_metrics(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(100, 100)
    cluster.create_scaler(spec(cluster.port))
    async with TestClient(TestServer(application(operator.loop, lambda: True))) as client:
        assert (await client.get("/livez")).status == 200
        assert (await client.get("/readyz")).status == 503
        turned = asyncio.Event()
        turn = operator.loop.turn

        async def noticed() -> None:
            await turn()
            asyncio.get_running_loop().call_later(0.05, turned.set)

        operator.loop.turn = noticed  # type: ignore[method-assign]
        task = asyncio.create_task(operator.loop.run())
        async with asyncio.timeout(30):
            await turned.wait()
        assert (await client.get("/readyz")).status == 200
        task.cancel()
        page = await (await client.get("/metrics")).text()
        assert f'hunarmitra_operator_connections{{name="sockets",namespace="{NAMESPACE}"}} 200.0' in page
        assert 'hunarmitra_operator_pod_requests_total{outcome="200",verb="GET connections"}' in page
        operator.loop.finished -= 61
        assert (await client.get("/livez")).status == 503


def test_times_are_read_as_they_were_written() -> None:
    assert moment(1_800_000_000.25) == "2027-01-15T08:00:00.250000Z"


def test_a_stub_pod_returns_when_its_lease_ends() -> None:
    clock = Clock()
    pod = StubPod("ws-0", "uid", "127.1.0.9", clock, clock() - 60, leases={"a": clock() + 5})
    assert not pod.ready
