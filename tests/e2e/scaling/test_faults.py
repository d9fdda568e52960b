"""The operator, the API server or a pod fails while pods are being drained, or somebody interferes.

Whatever happens, every watcher keeps every status event, and no pod stays drained. Specs that make no sense are refused
by the API server itself: operator/tests/cluster.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster import get, kubectl
from tests.e2e.conftest import People
from tests.e2e.scaling.conftest import SPARE
from tests.e2e.scaling.fleet import LEASE, LEAST, Fleet, until
from tests.e2e.watching import Crowd, Traffic
from tests.support.clock import steady
from tests.support.eventually import eventually

pytestmark = pytest.mark.timeout(400)
ALL = LEAST + SPARE
SERVER_AWAY = 30


@asynccontextmanager
async def unnoticed(crowd: Crowd, people: People, *, most_moves: int = 1) -> AsyncIterator[None]:
    """With events all the while; in the end everybody has all of them, and was asked to move at most that often."""
    bookings = list(crowd.watchers)
    before = {watcher: len(watcher.moved_at) for watcher in crowd.all}
    with Traffic(people.admin, people.workers, bookings, 5) as traffic:
        yield
    await crowd.complete(await asyncio.to_thread(traffic.last_seqs))
    assert traffic.failures == []
    assert set(crowd.codes()) <= {4012}, crowd.codes()
    moves = Counter(len(watcher.moved_at) - before[watcher] for watcher in crowd.all)
    assert max(moves) <= most_moves, moves


async def test_the_operator_killed_in_mid_drain_and_started_again_finishes(
    fleet: Fleet, people: People, crowd: Crowd
) -> None:
    async with unnoticed(crowd, people):
        await asyncio.to_thread(fleet.shrink)
        await asyncio.to_thread(fleet.kill_operator)
        await until(lambda: fleet.in_service(LEAST), 120, "the drain's end")
        await until(lambda: not fleet.victims(), 60, "nothing is drained")


async def test_the_operator_killed_for_good_leaves_every_pod_in_service(
    fleet: Fleet, people: People, crowd: Crowd
) -> None:
    operator = f"deployment/{fleet.full('operator')}"
    async with unnoticed(crowd, people, most_moves=2):  # once more if a client was moved to a pod of the same drain

        def kill() -> None:
            fleet.shrink()
            kubectl("scale", operator, "--replicas=0", namespace=fleet.namespace)
            for pod in fleet.pods("operator"):
                fleet.kill(pod["metadata"]["name"])

        try:
            await asyncio.to_thread(kill)
            await until(lambda: fleet.in_service(ALL), LEASE + 15, "every pod in service after the lease")
        finally:
            kubectl("scale", operator, "--replicas=1", namespace=fleet.namespace)


@pytest.fixture
def two_operators(fleet: Fleet) -> Iterator[None]:
    """Two replicas of the operator, of which one stands by, and whose processes can be stopped."""
    operator = f"deployment/{fleet.full('operator')}"
    kubectl("scale", operator, "--replicas=2", namespace=fleet.namespace)
    try:
        with fleet.killable("operator"):
            eventually(lambda: fleet.leader() in fleet.pod_names("operator"), 60, "one of them leads", 0.5)
            yield
    finally:
        kubectl("scale", operator, "--replicas=1", namespace=fleet.namespace)
        fleet.rolled_out("operator")


@contextmanager
def a_leader_that_is_deleted(fleet: Fleet, leader: str) -> Iterator[None]:
    fleet.kill(leader)
    yield


@contextmanager
def a_leader_that_hangs(fleet: Fleet, leader: str) -> Iterator[None]:
    """It releases nothing, its connections stay open, and afterwards it believes that it leads."""
    fleet.signal(leader, "SIGSTOP")
    try:
        yield
    finally:
        fleet.signal(leader, "SIGCONT")


@pytest.mark.usefixtures("two_operators")
@pytest.mark.parametrize("trouble", [a_leader_that_is_deleted, a_leader_that_hangs])
async def test_another_replica_goes_on_with_the_drain_of_a_lost_leader(
    fleet: Fleet,
    people: People,
    crowd: Crowd,
    trouble: Callable[[Fleet, str], AbstractContextManager[None]],
    record_property: Callable[[str, object], None],
) -> None:
    def replace_the_leader() -> list[str]:
        fleet.shrink()
        victims, leader = fleet.victims(), fleet.leader()
        with trouble(fleet, leader):
            begun = steady()
            # Later, the drained pods would have returned to service.
            eventually(lambda: fleet.leader() not in ("", leader), LEASE, "the other replica leads", 0.2)
            record_property("seconds until the other replica led", round(steady() - begun, 1))
            eventually(fleet.turned(), 30, "it has decided", 0.5)
            ready = fleet.pod_names("ws")
            assert not set(victims) & set(ready), "a drained pod returned to service"
        return victims

    async with unnoticed(crowd, people):
        victims = await asyncio.to_thread(replace_the_leader)
        await until(lambda: fleet.in_service(LEAST), 120, "the drain's end")
        await until(lambda: not fleet.victims(), 60, "nothing is drained")
    left = {pod["metadata"]["name"] for pod in await asyncio.to_thread(fleet.living)}
    assert not left & set(victims), "another pod was removed"
    assert "DrainAborted" not in await asyncio.to_thread(fleet.events)
    await until(lambda: fleet.leader() in fleet.pod_names("operator"), 60, "a leader that is ready")


@pytest.mark.parametrize(
    ("edit", "event"),
    [({"minReplicas": ALL}, "VictimsReturned"), ({"paused": True}, "Paused"), ({"dryRun": True}, "")],
    ids=["a higher minimum is followed", "a pause gives it up", "a dry run gives it up"],
)
async def test_a_spec_edited_in_mid_drain(
    fleet: Fleet, people: People, crowd: Crowd, edit: dict[str, Any], event: str
) -> None:
    async with unnoticed(crowd, people):
        await asyncio.to_thread(fleet.shrink)
        await asyncio.to_thread(fleet.change, **edit)
        # By the operator's word, and before the lease would have ended.
        await until(lambda: fleet.in_service(ALL), LEASE, "every pod back in service")
        await until(lambda: not fleet.victims(), 30, "nothing is drained")
    assert not event or event in await asyncio.to_thread(fleet.events)
    await asyncio.to_thread(fleet.change, paused=False, dryRun=False)


async def test_an_hpa_on_the_same_deployment_is_a_conflict(fleet: Fleet, people: People, crowd: Crowd) -> None:
    name = fleet.full("ws")

    def add_an_hpa() -> None:
        bounds = [f"--min={ALL}", f"--max={ALL}", "--cpu-percent=80"]
        kubectl("autoscale", "deployment", name, *bounds, namespace=fleet.namespace)

    async with unnoticed(crowd, people, most_moves=2):
        try:
            await asyncio.to_thread(fleet.shrink)
            await asyncio.to_thread(add_an_hpa)
            await until(lambda: fleet.condition("Conflict"), 60, "a conflict")
            assert not await asyncio.to_thread(fleet.condition, "Ready")
            assert "Conflict" in await asyncio.to_thread(fleet.events)
            assert f"HorizontalPodAutoscaler/{name}" in fleet.status()["message"]
            await until(lambda: fleet.in_service(ALL), 60, "every pod back in service")
        finally:
            kubectl("delete", "hpa", "--all", namespace=fleet.namespace)
        await until(lambda: fleet.condition("Ready") and not fleet.condition("Conflict"), 60, "the conflict's end")


@contextmanager
def without_the_rule_for_the_control_port(fleet: Fleet) -> Iterator[None]:
    """Takes the operator's rule out of the ws pods' NetworkPolicy."""
    name = f"networkpolicy/{fleet.full('ws')}"
    rules = get(name, namespace=fleet.namespace)["spec"]["ingress"]
    others = [rule for rule in rules if rule["ports"] != [{"port": "control", "protocol": "TCP"}]]
    assert len(others) == len(rules) - 1

    def write(kept: list[Any]) -> None:
        patch = json.dumps({"spec": {"ingress": kept}})
        kubectl("patch", name, "--type=merge", "--patch", patch, namespace=fleet.namespace)

    write(others)
    try:
        # A policy ends no connection that is there, and the operator keeps its own.
        fleet.kill_operator()
        fleet.rolled_out("operator")
        yield
    finally:
        write(rules)


@contextmanager
def a_pod_that_hangs(fleet: Fleet) -> Iterator[None]:
    """Stops the server in one pod, as if its machine swapped; it goes on before the liveness probe gives it up."""
    pod = fleet.pod_names("ws")[0]

    fleet.signal(pod, "SIGSTOP")
    try:
        yield
    finally:
        fleet.signal(pod, "SIGCONT")


@pytest.fixture(scope="module")
def killable(fleet: Fleet) -> Iterator[None]:
    with fleet.killable("ws"):
        yield


@pytest.mark.usefixtures("killable")
@pytest.mark.parametrize("trouble", [without_the_rule_for_the_control_port, a_pod_that_hangs])
async def test_pods_that_cannot_be_read_freeze_it(
    fleet: Fleet, people: People, crowd: Crowd, trouble: Callable[[Fleet], Any]
) -> None:
    def freeze() -> None:
        with trouble(fleet):
            eventually(lambda: fleet.condition("MetricsStale"), 50, "it says that its figures are stale", 0.5)
            assert "MetricsStale" in fleet.events()
            fleet.change(minReplicas=LEAST)
            eventually(fleet.turned(), 30, "it has decided with the new minimum", 0.5)
            assert fleet.victims() == [], "drained by guesswork"
            assert fleet.replicas() == ALL

    async with unnoticed(crowd, people):
        await asyncio.to_thread(freeze)
        await until(lambda: not fleet.condition("MetricsStale"), 60, "it can see again")
        assert "MetricsStaleOver" in await asyncio.to_thread(fleet.events)
        await until(lambda: fleet.in_service(LEAST), 180, "the scale-down that was frozen")


async def test_the_api_server_away_in_mid_drain(fleet: Fleet, people: People, crowd: Crowd) -> None:
    """E2E_API_SERVER is a file with the number of its process, which the test may stop.

    If the ingress does not know yet that the drained pods are not ready, it sends them the clients that they move,
    because they have the fewest connections. They then wait, and only those who were first are moved again.
    """
    if "E2E_API_SERVER" not in os.environ:
        pytest.skip("E2E_API_SERVER is not set")
    server = int(await asyncio.to_thread(Path(os.environ["E2E_API_SERVER"]).read_text))
    async with unnoticed(crowd, people, most_moves=4):
        await asyncio.to_thread(fleet.shrink)
        os.kill(server, signal.SIGSTOP)
        try:
            await asyncio.sleep(SERVER_AWAY)
        finally:
            os.kill(server, signal.SIGCONT)
        await until(lambda: fleet.in_service(LEAST), 120, "the drain's end")
        await until(lambda: not fleet.victims(), 60, "nothing is drained")
    assert "DrainAborted" not in await asyncio.to_thread(fleet.events)


async def test_the_resource_deleted_in_mid_drain(fleet: Fleet, people: People, crowd: Crowd) -> None:
    manifest = await asyncio.to_thread(fleet.scaler)
    manifest = {key: manifest[key] for key in ("apiVersion", "kind", "metadata", "spec")}
    manifest["metadata"] = {key: manifest["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    async with unnoticed(crowd, people):

        def delete() -> None:
            fleet.shrink()
            kubectl("delete", fleet.scaler_name, "--timeout=10s", namespace=fleet.namespace)

        await asyncio.to_thread(delete)
        try:
            await until(lambda: fleet.in_service(ALL), LEASE, "every pod back in service, and not by its lease")
        finally:
            kubectl("create", "--filename=-", stdin=json.dumps(manifest), namespace=fleet.namespace)
