"""The operator's turns, end to end, against a fake API server and stub pods."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from fake_cluster import NAMESPACE, TOKEN, Clock, FakeCluster, Json, StubPod, free_port

from hunarmitra_operator.kubernetes import Access, Api
from hunarmitra_operator.loop import Loop
from hunarmitra_operator.model import Control, Pod
from hunarmitra_operator.podclient import PodClient
from hunarmitra_operator.status import moment
from hunarmitra_operator.web import application

COST = "controller.kubernetes.io/pod-deletion-cost"


def reading(cluster: FakeCluster, **changes: int) -> Json:
    """`spec.pods`, with changes."""
    return {"controlPort": cluster.port, "timeoutSeconds": 1, **changes}


def spec(port: int, **changes: object) -> Json:
    base: Json = {
        "target": {"name": "ws"},
        "connectionsPerPod": {"target": 100, "cap": 150},
        "minReplicas": 1,
        "maxReplicas": 10,
        "scaleDown": {"stabilizationWindowSeconds": 0},
        "drain": {"windowSeconds": 60, "leaseSeconds": 30},
        "pods": {"controlPort": port, "timeoutSeconds": 1},
    }
    return base | changes


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    made = FakeCluster(Clock(), free_port())
    await made.start()
    yield made
    await made.close()


class Operator:
    """A loop whose turns the test takes, five seconds of the cluster's time apart."""

    def __init__(self, cluster: FakeCluster, token: Path) -> None:
        self.cluster = cluster
        api = Api(lambda: Access(cluster.url, {}), timeout=2)
        self.loop = Loop(api, PodClient(token), (NAMESPACE,), clock=cluster.clock)

    async def turns(self, count: int = 1) -> None:
        for _ in range(count):
            await self.loop.turn()
            await self.cluster.advance(5)

    async def until(self, what: str, limit: int = 60) -> None:
        """Take turns until the status has that reason."""
        for _ in range(limit):
            await self.turns()
            if self.cluster.status.get("reason") == what:
                return
        raise AssertionError(f"never {what}: {self.cluster.status}")

    async def stop(self) -> None:
        await self.loop.stop()
        await self.loop.clients.close()
        await self.loop.api.close()


@pytest.fixture
async def operator(cluster: FakeCluster, tmp_path: Path) -> AsyncIterator[Operator]:
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\nolder\n")
    made = Operator(cluster, token)
    yield made
    await made.stop()


def drained(cluster: FakeCluster) -> set[str]:
    return {pod.name for pod in cluster.pods.values() if pod.leases}


async def begin(cluster: FakeCluster, operator: Operator, *loads: int, **changes: object) -> None:
    """A fleet that is too large, and the first turns of its drain: the initial recommendation has to age a
    moment."""
    await cluster.run_pods(*(loads or (70, 5, 60, 10, 55)))
    cluster.create_scaler(spec(cluster.port, **changes))
    await operator.until("Draining")


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


async def test_a_new_operator_finishes_the_drain(
    cluster: FakeCluster, operator: Operator, tmp_path: Path
) -> None:
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


async def test_a_hung_pod_freezes_and_releases(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator, pods=reading(cluster, maxSampleAgeSeconds=10))
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


async def test_a_wrong_token_is_no_reading(cluster: FakeCluster, operator: Operator, tmp_path: Path) -> None:
    await cluster.run_pods(10, 10, 10)
    cluster.create_scaler(spec(cluster.port))
    (tmp_path / "token").write_text("old\n")
    await operator.turns(3)
    assert cluster.status["reason"] == "NoData"
    assert cluster.scaled == []
    (tmp_path / "token").write_text(TOKEN)
    await operator.until("Draining")


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
    ("trouble", "reason"),
    [("label", "TargetNotLabelled"), ("zone", "InvalidSpec"), ("name", "TargetNotFound")],
)
async def test_trouble_with_the_target_is_said(
    cluster: FakeCluster, operator: Operator, trouble: str, reason: str
) -> None:
    await cluster.run_pods(400)
    peak = {"name": "a", "start": "18:00", "end": "19:00", "minReplicas": 2, "timeZone": "Mars/North"}
    cluster.create_scaler(
        spec(cluster.port)
        | ({"schedule": [peak]} if trouble == "zone" else {})
        | ({"target": {"name": "missing"}} if trouble == "name" else {})
    )
    if trouble == "label":
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
    assert scaler.actor.shedding is not None
    await scaler.actor.shedding
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
    read = operator.loop.clients.connections

    async def edited_meanwhile(pods: Iterable[Pod], control: Control) -> dict[str, int]:
        cluster.edit(paused=True)
        return await read(pods, control)

    with monkeypatch.context() as patch:
        patch.setattr(operator.loop.clients, "connections", edited_meanwhile)
        await operator.turns()
    assert cluster.scaled == []
    cluster.edit(paused=False)
    await operator.turns()
    assert cluster.scaled == [3]


async def test_a_deployment_that_changed_meanwhile_is_not_scaled(
    cluster: FakeCluster, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cluster.run_pods(150, 150)
    cluster.create_scaler(spec(cluster.port))
    read = operator.loop.clients.connections

    async def touched_meanwhile(pods: Iterable[Pod], control: Control) -> dict[str, int]:
        cluster._bump(cluster.deployment)
        return await read(pods, control)

    with monkeypatch.context() as patch:
        patch.setattr(operator.loop.clients, "connections", touched_meanwhile)
        await operator.turns()
    assert cluster.scaled == []
    await operator.turns()
    assert cluster.scaled == [3]
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
    cluster.create_scaler(spec(cluster.port, maxReplicas=20))
    for index in range(5):
        cluster.pod(index).hangs = True
    began = time.monotonic()
    await operator.loop.turn()
    assert time.monotonic() - began < 3, "five pods that hang for a second each are waited for together"
    assert len(operator.loop.scalers[NAMESPACE, "sockets"].samples) == 15


async def test_the_probes_and_metrics(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(100, 100)
    cluster.create_scaler(spec(cluster.port))
    async with TestClient(TestServer(application(operator.loop))) as client:
        assert (await client.get("/livez")).status == 200
        assert (await client.get("/readyz")).status == 503
        turned = asyncio.Event()
        turn = operator.loop.turn

        async def noticed() -> None:
            await turn()
            asyncio.get_running_loop().call_later(0.05, turned.set)

        operator.loop.turn = noticed  # type: ignore[method-assign]
        task = asyncio.create_task(operator.loop.run())
        async with asyncio.timeout(5):
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
