"""A node is emptied for maintenance, or loses its power: the budgets hold, and no watcher misses an event."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from tests.e2e.cluster import Release, cluster_program, get, is_ready, kubectl, run
from tests.e2e.conftest import People
from tests.e2e.watching import Crowd, Traffic
from tests.support.eventually import eventually

NODES = {"node-1", "node-2"}


@pytest.fixture
def node(release: Release) -> Iterator[str]:
    """One that runs a ws pod and is not the only one."""
    if len(get("nodes")["items"]) < 2:
        pytest.skip("the cluster has one node")
    name = release.pods("ws")[0]["spec"]["nodeName"]
    yield name
    run("kubectl", "uncordon", name)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_drained_node(release: Release, people: People, node: str) -> None:
    """PostgreSQL may be on that node; then REST answers 503 while it moves, and nothing else fails."""
    bookings = await asyncio.to_thread(people.bookings, 20)

    def drain() -> None:
        selector = f"--pod-selector=app.kubernetes.io/instance={release.name}"
        options = ["--ignore-daemonsets", "--delete-emptydir-data", "--timeout=180s", selector]
        run("kubectl", "drain", node, *options, timeout=200)
        release.rolled_out("http", "ws")

    async with Crowd(release.booking_url, people.employer.token, bookings, 200) as crowd:
        with Traffic(people.admin, people.workers, bookings, 5) as traffic:
            await asyncio.to_thread(drain)
        await crowd.complete(await asyncio.to_thread(traffic.last_seqs))
        # 1011: one that came while the database was on its way.
        assert set(crowd.codes()) <= {4012, 1011}, crowd.codes()
        assert set(traffic.statuses) <= {200, 503}, traffic.failures
        assert sum(traffic.statuses.values()) == traffic.requests, traffic.failures
    assert not [pod for pod in release.pods("ws") if pod["spec"]["nodeName"] == node]


@pytest.fixture
def doomed(release: Release) -> Iterator[str]:
    """A node that may lose its power: pods of http and ws are on it and elsewhere, the trial database is elsewhere.

    `E2E_CLUSTER crash NODE` takes its power away, `E2E_CLUSTER up` gives it back.
    """
    if "E2E_CLUSTER" not in os.environ or len(get("nodes")["items"]) < 2:
        pytest.skip("needs a second node, and E2E_CLUSTER to name a program that can take its power away")
    name = "node-2"
    run("kubectl", "cordon", name)
    for component in ("postgresql", "redis"):
        kubectl("delete", "pod", f"{release.full(component)}-0", namespace=release.namespace)
        release.stateful_set_ready(component)
    run("kubectl", "uncordon", name)
    for component in ("http", "ws", "relay"):
        if {pod["spec"]["nodeName"] for pod in release.pods(component)} != NODES:
            release.restart(component)
            release.rolled_out(component)
        assert {pod["spec"]["nodeName"] for pod in release.pods(component)} == NODES
    yield name
    cluster_program("up")
    kubectl("wait", "--for=condition=Ready", f"node/{name}", "--timeout=120s")
    for component in ("http", "ws", "relay"):
        release.rolled_out(component)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_node_that_loses_its_power(release: Release, people: People, doomed: str) -> None:
    """Nothing closes the connections to its pods, and for most of a minute Kubernetes believes in them."""
    bookings = await asyncio.to_thread(people.bookings, 30)
    watching = Crowd(release.booking_url, people.employer.token, bookings, 300, ping_seconds=5)
    async with watching as crowd:
        with Traffic(people.admin, people.workers, bookings, 5) as traffic:
            await asyncio.to_thread(cluster_program, "crash", doomed)
            await asyncio.to_thread(eventually, lambda: not is_ready(get(f"node/{doomed}")), 120, "noticed", 1)
            await asyncio.to_thread(traffic.wait_requests, 25)
        await crowd.complete(await asyncio.to_thread(traffic.last_seqs))
        assert crowd.codes()["silent"] > 0, "nobody was on it"
        assert set(crowd.codes()) & {4001, 4003, 4004, 4008} == set(), crowd.codes()
        assert traffic.statuses[200] > 0, traffic.failures
