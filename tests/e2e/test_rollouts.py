"""With three hundred resuming watchers and steady events: pods come and go, and nobody misses one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from tests.e2e.cluster import Release, kubectl
from tests.e2e.conftest import People
from tests.e2e.watching import Crowd, Traffic
from tests.support.eventually import eventually

WATCHERS, BOOKINGS, EVENTS_PER_SECOND = 300, 30, 10


@pytest.fixture(scope="module")
def bookings(people: People) -> list[str]:
    return people.bookings(BOOKINGS)


@pytest.fixture
async def crowd(release: Release, people: People, bookings: list[str]) -> AsyncIterator[Crowd]:
    def url(booking: str) -> str:
        return f"{release.ws_url}/ws/bookings/{booking}/"

    async with Crowd(url, people.employer.token, bookings, WATCHERS) as watching:
        yield watching


async def unnoticed(
    crowd: Crowd, people: People, bookings: list[str], disturb: Callable[[], None], *, timeout: float = 60
) -> Traffic:
    """While `disturb` runs and for two seconds more events happen; then everybody has all of them, once, in order."""
    workers = [people.other_worker.id, people.worker.id]
    with Traffic(people.admin, workers, bookings, EVENTS_PER_SECOND) as traffic:
        await asyncio.to_thread(disturb)
        await asyncio.sleep(2)
    await crowd.complete(await asyncio.to_thread(traffic.last_seqs), timeout)
    return traffic


@pytest.mark.timeout(300)
@pytest.mark.parametrize("components", [("ws",), ("http",), ("ws", "http")], ids="+".join)
async def test_a_rolling_restart(
    release: Release, people: People, crowd: Crowd, bookings: list[str], components: tuple[str, ...]
) -> None:
    def restart() -> None:
        release.restart(*components)
        release.rolled_out(*components)

    traffic = await unnoticed(crowd, people, bookings, restart)
    assert traffic.failures == []
    assert traffic.requests > 50
    moved = set(crowd.codes())
    assert moved == ({4012} if "ws" in components else set()), crowd.codes()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["politely", "by force", "a crash"])
async def test_a_lost_ws_pod(release: Release, people: People, crowd: Crowd, bookings: list[str], how: str) -> None:
    victim = release.pod_names("ws")[0]

    def lose() -> None:
        if how == "a crash":
            kill = "import os, signal; os.kill(1, signal.SIGSEGV)"
            kubectl("exec", victim, "--", "python", "-c", kill, namespace=release.namespace)
        else:
            force = ["--grace-period=0", "--force"] if how == "by force" else []
            kubectl("delete", "pod", victim, *force, namespace=release.namespace)
        release.rolled_out("ws")

    traffic = await unnoticed(crowd, people, bookings, lose)
    assert traffic.failures == []
    if how == "politely":
        assert set(crowd.codes()) == {4012}, crowd.codes()


@pytest.mark.timeout(300)
async def test_a_lost_http_pod(release: Release, people: People, crowd: Crowd, bookings: list[str]) -> None:
    def lose() -> None:
        kubectl("delete", "pod", release.pod_names("http")[0], namespace=release.namespace)
        release.rolled_out("http")

    traffic = await unnoticed(crowd, people, bookings, lose)
    assert traffic.failures == []
    assert not crowd.codes()


@pytest.mark.timeout(300)
async def test_redis_killed_and_started_empty(
    release: Release, people: People, crowd: Crowd, bookings: list[str]
) -> None:
    def lose() -> None:
        pod = f"{release.full('redis')}-0"
        kubectl("delete", "pod", pod, "--grace-period=0", "--force", namespace=release.namespace)
        kubectl("wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=120s", namespace=release.namespace)

    traffic = await unnoticed(crowd, people, bookings, lose, timeout=10)
    assert traffic.failures == []
    assert not crowd.codes(), "sockets stay open"


@pytest.mark.timeout(300)
async def test_postgresql_away_and_back(release: Release, people: People, crowd: Crowd, bookings: list[str]) -> None:
    def lose() -> None:
        database = f"statefulset/{release.full('postgresql')}"
        kubectl("scale", database, "--replicas=0", namespace=release.namespace)
        eventually(lambda: not release.pods("postgresql"), 60, "the database's end", 0.5)
        answer = people.stranger.send("GET", "bookings/")
        assert answer.status_code == 503
        assert answer.json()["code"]
        assert len(release.pod_names("http")) == 2, "a lost database takes no pod out of service"
        kubectl("scale", database, "--replicas=1", namespace=release.namespace)
        kubectl("rollout", "status", database, "--timeout=120s", namespace=release.namespace)

    traffic = await unnoticed(crowd, people, bookings, lose, timeout=30)
    assert set(traffic.statuses) <= {200, 503}, traffic.failures
    assert sum(traffic.statuses.values()) == traffic.requests, traffic.failures
    assert not crowd.codes(), "sockets stay open"
