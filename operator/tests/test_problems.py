"""Problems around the operator: a second operator, a missing token, unexpected objects in the loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

import pytest
from fake_cluster import FakeCluster
from fake_pod import NAMESPACE, TOKEN, Clock
from harness import COST, Operator, begin, drained, reading, spec
from prometheus_client import generate_latest

from hunarmitra_operator import podclient
from hunarmitra_operator.kubernetes import ApiError, Json
from hunarmitra_operator.problem import Problem


async def test_two_operators_at_once_go_on_with_one_drain(
    cluster: FakeCluster, operator: Operator, token: Path
) -> None:
    """The other operator was cut off and lives on, for example on a node that was thought dead."""
    second = Operator(cluster, token)
    await cluster.run_pods(70, 5, 60, 10, 55)
    cluster.create_scaler(spec(cluster.port))
    await second.loop.turn()
    await operator.until("Draining")
    victims = drained(cluster)
    identity = cluster.status["drain"]["id"]
    await second.loop.turn()
    assert {pod.name for pod in cluster.pods.values() if COST in pod.annotations} == victims
    assert cluster.status["drain"]["id"] == identity
    for _ in range(30):
        await operator.loop.turn()
        await second.turns()
    await second.stop()
    assert sorted(cluster.pods) == ["ws-0", "ws-2"]
    assert cluster.moved == 70, "nobody was moved twice"
    assert cluster.scaled == [2]
    assert not cluster.status["history"]["foreignChanges"]


async def test_reading_a_fleet_that_hangs_has_one_deadline(
    cluster: FakeCluster, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 of 203 pods hang.

    At most `podclient.PARALLEL` requests wait at once, each until the common deadline: so a turn gets to no more pods
    when it reads them, and to no more when it returns them to service. Without the common deadline it would get to all.
    The others are read nevertheless, wherever in the fleet they are.
    """
    monkeypatch.setattr(podclient, "FLEET_SECONDS", 0.5)
    await cluster.run_pods(*[1] * 203)
    pods = reading(cluster, timeoutSeconds=1, maxSampleAgeSeconds=10)
    cluster.create_scaler(spec(cluster.port, maxReplicas=203, pods=pods))
    await operator.until("Draining")
    samples = operator.loop.scalers[NAMESPACE, "sockets"].samples
    assert len(samples) == 203
    healthy = {cluster.pod(index).uid for index in (0, 100, 202)}
    for pod in cluster.pods.values():
        pod.hangs = pod.uid not in healthy
    seen: set[str] = set()
    for _ in range(30):
        before = {uid: sample.at for uid, sample in samples.items()}
        asked = sum(pod.unanswered for pod in cluster.pods.values())
        await operator.turns()
        assert sum(pod.unanswered for pod in cluster.pods.values()) - asked <= 2 * podclient.PARALLEL
        samples = operator.loop.scalers[NAMESPACE, "sockets"].samples
        seen = {uid for uid, sample in samples.items() if sample.at != before.get(uid)}
        if seen == healthy and cluster.condition("MetricsStale") == "True":
            break
    assert seen == healthy, "all of them were read in one turn"
    assert cluster.condition("MetricsStale") == "True"
    assert cluster.scaled == []


async def test_pods_that_hang_do_not_keep_a_lease_from_being_renewed(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator)
    victims = [pod for pod in cluster.pods.values() if pod.leases]
    before = len(victims[0].calls)
    for _ in range(podclient.PARALLEL):
        await operator.loop.clients._reading.acquire()
    await operator.loop.scalers[NAMESPACE, "sockets"].keep_alive()
    assert len(victims[0].calls) == before + 1


def take_away(token: Path) -> None:
    token.unlink()


def give_back(token: Path) -> None:
    token.write_text(TOKEN)


async def test_a_token_that_cannot_be_read_is_said(cluster: FakeCluster, operator: Operator, token: Path) -> None:
    await begin(cluster, operator)
    take_away(token)
    await operator.turns(8)
    assert cluster.condition("MetricsStale") == "True"
    give_back(token)
    await operator.until("ScalingDown")


@pytest.mark.parametrize("problem", ["paused", "rollout", "away"])
async def test_trouble_stops_a_round_of_rebalancing(cluster: FakeCluster, operator: Operator, problem: str) -> None:
    await cluster.run_pods(140, 140, 10, 10)
    cluster.create_scaler(
        spec(
            cluster.port,
            reconnectsPerSecond=1,
            rebalance={"cooldownSeconds": 600},
            connectionsPerPod={"target": 75, "cap": 150, "considerFullestPod": False},
        )
    )
    await operator.loop.turn()
    actor = operator.loop.scalers[NAMESPACE, "sockets"].actor
    assert actor.rebalancing is not None
    if problem == "paused":
        cluster.edit(paused=True)
    elif problem == "rollout":
        cluster.pod(3).revision = "rs-2"
    else:
        cluster.away = True
    await operator.loop.turn()
    assert actor.rebalancing is None


async def test_the_loop_outlives_what_it_does_not_understand(
    cluster: FakeCluster, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cluster.run_pods(150, 150)
    cluster.create_scaler(spec(cluster.port))

    failed = asyncio.Semaphore(0)

    async def not_understood(*_: object, **__: object) -> dict[str, None]:
        failed.release()
        return {"items": None}

    with monkeypatch.context() as patch:
        patch.setattr(operator.loop, "interval", 0.01)
        patch.setattr(operator.loop.api, "get", not_understood)
        task = asyncio.create_task(operator.loop.run())
        async with asyncio.timeout(60):
            for _ in range(5):
                await failed.acquire()
        assert not task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await operator.turns()
    assert cluster.scaled == [3]


async def test_a_namespace_that_cannot_be_listed_hides_no_other(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(150, 150)
    cluster.create_scaler(spec(cluster.port))
    operator.loop.namespaces = ("elsewhere", NAMESPACE)
    await operator.turns()
    assert cluster.scaled == [3]


async def test_a_spec_that_changes_in_mid_turn_gets_the_next_turn_at_once(
    cluster: FakeCluster, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, second = 0, asyncio.Event()

    async def turn() -> None:
        nonlocal turns
        turns += 1
        if turns == 1:
            operator.loop.seen({"namespace": NAMESPACE, "name": "sockets", "generation": 2}, {"target": {"name": "ws"}})
        else:
            second.set()

    monkeypatch.setattr(operator.loop, "interval", 3600)
    monkeypatch.setattr(operator.loop, "turn", turn)
    task = asyncio.create_task(operator.loop.run())
    await asyncio.wait_for(second.wait(), 60)
    await asyncio.sleep(0.2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert turns == 2


async def test_a_deleted_resource_leaves_no_series(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator)
    assert 'name="sockets"' in generate_latest().decode()
    cluster.scaler = None
    await operator.loop.turn()
    page = generate_latest().decode()
    assert 'name="sockets"' not in page


async def test_a_right_that_is_missing_is_said_in_status(
    cluster: FakeCluster, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cluster.run_pods(100, 100)
    cluster.create_scaler(spec(cluster.port))
    get = operator.loop.api.get

    async def refused(path: str, resource: str, **query: str) -> Json:
        if resource == "deployments":
            raise ApiError(403, "deployments is forbidden")
        return await get(path, resource, **query)

    with monkeypatch.context() as patch:
        patch.setattr(operator.loop.api, "get", refused)
        await operator.turns(3)
    assert cluster.status["reason"] == "Forbidden"
    assert cluster.condition("Ready") == "False"
    assert [event["reason"] for event in cluster.events] == ["Forbidden"]
    await operator.turns()
    assert cluster.condition("Ready") == "True"


async def test_another_target_is_looked_at_for_its_own_rivals(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(100, 100)
    cluster.create_scaler(spec(cluster.port))
    await operator.turns()
    reference = {"kind": "Deployment", "name": "other"}
    cluster.autoscalers = [{"metadata": {"name": "a"}, "spec": {"scaleTargetRef": reference}}]
    cluster.edit(target={"name": "other"})
    await operator.turns()
    assert cluster.condition("Conflict") == "True"


async def test_an_outage_is_logged_when_it_begins_and_ends(
    cluster: FakeCluster, operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "hunarmitra_operator")
    await begin(cluster, operator)
    caplog.clear()
    cluster.away = True
    operator.loop.listed = float("-inf")  # due, and tried again in every turn
    await operator.turns(12)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2, caplog.messages
    assert all("no answer" in message for message in caplog.messages)
    cluster.away = False
    caplog.clear()
    await operator.turns()
    assert "shop/sockets: the API server answers again after" in caplog.text
    assert "12 failures" in caplog.text
    assert "WebSocketScalers in shop can be listed again after" in caplog.text


async def test_a_token_that_stays_away_is_logged_once(
    cluster: FakeCluster, operator: Operator, token: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await begin(cluster, operator)
    take_away(token)
    caplog.clear()
    await operator.turns(5)
    assert caplog.text.count("no pod can be asked") == 1
    assert caplog.text.count("cannot drain") == 1, "the same of every pod"


def test_a_trouble_that_lasts_is_repeated_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    clock = Clock(0.0)
    problem = Problem(logging.getLogger("somewhere"), clock)
    for _ in range(131):
        problem.log("0", "no answer")
        clock.now += 5
    problem.log("503", "503: no leader")
    problem.resolved("it answers again")
    problem.resolved("it answers again")
    assert caplog.messages == [
        "no answer",
        "no answer (for 300 s, 61 times)",
        "no answer (for 600 s, 121 times)",
        "503: no leader",
        "it answers again after 655 s and 132 failures",
    ]


async def test_the_older_of_two_resources_scales_the_target(cluster: FakeCluster, operator: Operator) -> None:
    await begin(cluster, operator)
    second = cluster.create_second(spec(cluster.port, minReplicas=8))
    operator.loop.seen(second["metadata"], second["spec"])  # what the watch reports
    await operator.until("ScalingDown")
    assert cluster.condition("Conflict") == "False"
    assert cluster.condition("Ready") == "True"
    assert cluster.condition("Conflict", second) == "True"
    assert cluster.condition("Ready", second) == "False"
    assert "WebSocketScaler/sockets scales the same target" in second["status"]["message"]
    assert [event["reason"] for event in cluster.events].count("Conflict") == 1
    assert cluster.cut == 0, "the newcomer leaves the older one's victims alone"
    cluster.scaler = None
    operator.loop.gone(NAMESPACE, "sockets")
    await operator.turns(2)
    assert cluster.condition("Conflict", second) == "False"
    assert cluster.scaled[-1] == 8


async def test_a_second_resource_is_known_before_its_first_turn(cluster: FakeCluster, operator: Operator) -> None:
    """After a start the list reports both, before either has a turn."""
    await cluster.run_pods(150, 150)
    cluster.create_scaler(spec(cluster.port))
    second = cluster.create_second(spec(cluster.port, minReplicas=9))
    await operator.turns(2)
    assert cluster.condition("Conflict") == "False"
    assert cluster.condition("Conflict", second) == "True"
    assert cluster.scaled == [3]


async def test_of_resources_of_the_same_second_one_wins(cluster: FakeCluster, operator: Operator) -> None:
    await cluster.run_pods(150, 150)
    first, second = cluster.create_scaler(spec(cluster.port)), cluster.create_second(spec(cluster.port))
    first["metadata"]["creationTimestamp"] = second["metadata"]["creationTimestamp"]
    await operator.turns(2)
    assert {cluster.condition("Conflict", first), cluster.condition("Conflict", second)} == {"True", "False"}


async def test_an_edit_may_begin_and_end_a_conflict(cluster: FakeCluster, operator: Operator) -> None:
    """Every turn reads its resource, so no watch is needed to notice the edit."""
    await cluster.run_pods(100, 100)
    cluster.create_scaler(spec(cluster.port))
    second = cluster.create_second(spec(cluster.port, target={"name": "other"}, paused=True))
    await operator.turns()
    assert cluster.condition("Conflict") == cluster.condition("Conflict", second) == "False"
    second["spec"]["target"] = {"name": "ws"}
    await operator.turns(2)
    assert cluster.condition("Conflict") == "False"
    assert cluster.condition("Conflict", second) == "True"
    second["spec"]["target"] = {"name": "other"}
    await operator.turns(2)
    assert cluster.condition("Conflict") == cluster.condition("Conflict", second) == "False"
