"""With three hundred resuming watchers and steady events: pods come and go, and nobody misses one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.e2e.cluster import CommandError, Release, get, is_ready, kubectl
from tests.e2e.conftest import People
from tests.e2e.watching import Crowd, Traffic
from tests.support.clock import steady
from tests.support.eventually import eventually

WATCHERS, BOOKINGS, EVENTS_PER_SECOND = 300, 30, 10
SOON = 10
"""Seconds after a dependency answers again in which everybody has to be complete."""


@pytest.fixture(scope="module")
def bookings(everybody: People) -> list[str]:
    return everybody.bookings(BOOKINGS)


@pytest.fixture
async def crowd(release: Release, people: People, bookings: list[str]) -> AsyncIterator[Crowd]:
    async with Crowd(release.booking_url, people.employer.token, bookings, WATCHERS) as watching:
        yield watching


async def unnoticed(
    crowd: Crowd, people: People, bookings: list[str], disturb: Callable[[], None], *, timeout: float = 60
) -> Traffic:
    """While `disturb` runs and for twenty more requests events happen; then everybody has all of them, once, in order.

    That is so within `timeout` seconds of `disturb`'s end.
    """
    with Traffic(people.admin, people.workers, bookings, EVENTS_PER_SECOND) as traffic:
        await asyncio.to_thread(disturb)
        over = steady()
        await asyncio.to_thread(traffic.wait_requests, 20)
    last = await asyncio.to_thread(traffic.last_seqs)
    await crowd.complete(last, max(0.0, timeout - (steady() - over)))
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


def lose(release: Release, component: str, how: str) -> None:
    """Lose one pod of the component, and wait until there are as many as before."""
    victim = release.pod_names(component)[0]
    if how == "politely":
        kubectl("delete", "pod", victim, namespace=release.namespace)
    elif how == "by force":
        release.kill(victim)
    else:
        crash(release, victim)
    release.rolled_out(component)


def crash(release: Release, pod: str) -> None:
    def restarts() -> int:
        found = get(f"pod/{pod}", namespace=release.namespace)["status"]["containerStatuses"]
        return sum(int(container["restartCount"]) for container in found)

    before = restarts()
    with contextlib.suppress(CommandError):  # what sent the signal may end with the container
        release.signal(pod, "SIGKILL")
    eventually(lambda: restarts() > before, 90, "the container's end", 0.5)


@pytest.fixture(scope="module")
def killable(release: Release) -> Iterator[None]:
    with release.killable("http", "ws"):
        yield


@pytest.fixture
def loss(request: pytest.FixtureRequest) -> str:
    """How a pod is lost."""
    if request.param == "a crash":
        request.getfixturevalue("killable")
    return str(request.param)


every_loss = pytest.mark.parametrize("loss", ["politely", "by force", "a crash"], indirect=True)


@pytest.mark.timeout(300)
@every_loss
async def test_a_lost_ws_pod(loss: str, release: Release, people: People, crowd: Crowd, bookings: list[str]) -> None:
    traffic = await unnoticed(crowd, people, bookings, lambda: lose(release, "ws", loss))
    assert traffic.failures == []
    if loss == "politely":
        assert set(crowd.codes()) == {4012}, crowd.codes()
    else:
        assert set(crowd.codes()) - {4012}, "nobody was on it, or it said goodbye"


@pytest.mark.timeout(300)
@every_loss
async def test_a_lost_http_pod(loss: str, release: Release, people: People, crowd: Crowd, bookings: list[str]) -> None:
    traffic = await unnoticed(crowd, people, bookings, lambda: lose(release, "http", loss))
    assert not crowd.codes(), "sockets have nothing to do with it"
    if loss == "politely":
        assert traffic.failures == []
    else:
        # What was under way to that pod, or was sent there before the ingress knew.
        assert set(traffic.statuses) <= {200, 502, 503, 504}, traffic.failures
        assert traffic.statuses[200] > traffic.requests / 2, traffic.failures


@pytest.mark.timeout(300)
async def test_redis_killed_and_started_empty(
    release: Release, people: People, crowd: Crowd, bookings: list[str]
) -> None:
    def ready() -> set[str]:
        return {pod["metadata"]["uid"] for pod in release.pods("redis") if is_ready(pod)}

    def away() -> None:
        before = ready()
        release.kill(f"{release.full('redis')}-0")
        # Not `kubectl wait`: it fails while there is no pod of this name.
        eventually(lambda: ready() - before, 120, "another Redis is ready", 0.1)

    traffic = await unnoticed(crowd, people, bookings, away, timeout=SOON)
    assert traffic.failures == []
    assert not crowd.codes(), "sockets stay open"


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_postgresql_away_and_back(release: Release, people: People, crowd: Crowd, bookings: list[str]) -> None:
    def away() -> None:
        database = f"statefulset/{release.full('postgresql')}"
        kubectl("scale", database, "--replicas=0", namespace=release.namespace)
        eventually(lambda: not release.pods("postgresql"), 60, "the database's end", 0.5)
        answer = people.stranger.send("GET", "bookings/")
        assert answer.status_code == 503
        assert answer.json()["code"]
        assert len(release.pod_names("http")) == 2, "a lost database takes no pod out of service"
        kubectl("scale", database, "--replicas=1", namespace=release.namespace)
        kubectl("rollout", "status", database, "--timeout=120s", namespace=release.namespace)

    traffic = await unnoticed(crowd, people, bookings, away, timeout=SOON)
    assert set(traffic.statuses) <= {200, 503}, traffic.failures
    assert sum(traffic.statuses.values()) == traffic.requests, traffic.failures
    assert not crowd.codes(), "sockets stay open"
