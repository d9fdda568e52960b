"""A node is emptied for maintenance: the budgets hold, and no watcher misses an event."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.e2e.cluster import Release, get, run
from tests.e2e.conftest import People
from tests.e2e.watching import Crowd, Traffic


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

    def url(booking: str) -> str:
        return f"{release.ws_url}/ws/bookings/{booking}/"

    def drain() -> None:
        selector = f"--pod-selector=app.kubernetes.io/instance={release.name}"
        options = ["--ignore-daemonsets", "--delete-emptydir-data", "--timeout=180s", selector]
        run("kubectl", "drain", node, *options, timeout=200)
        release.rolled_out("http", "ws")

    async with Crowd(url, people.employer.token, bookings, 200) as crowd:
        with Traffic(people.admin, [people.other_worker.id, people.worker.id], bookings, 5) as traffic:
            await asyncio.to_thread(drain)
        await crowd.complete(await asyncio.to_thread(traffic.last_seqs))
        # 1011: one that came while the database was on its way.
        assert set(crowd.codes()) <= {4012, 1011}, crowd.codes()
        assert set(traffic.statuses) <= {200, 503}, traffic.failures
        assert sum(traffic.statuses.values()) == traffic.requests, traffic.failures
    assert not [pod for pod in release.pods("ws") if pod["spec"]["nodeName"] == node]
