"""An API server that accepts connections and does not answer, or is slow; in real time, on real sockets."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fake_cluster import HANGS, FakeCluster
from harness import Operator, begin

from hunarmitra_operator import command
from hunarmitra_operator.kubernetes import Access, Api, ApiError

LEASE = 3
"""Seconds; a fifth of the shortest lease that the definition allows, as every time in these tests."""


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """Return the address of a server that accepts, reads, and never answers."""

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(read, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"


async def test_a_hanging_api_server_is_given_up_after_five_seconds(silent: str) -> None:
    api = Api(lambda: Access(silent, {}))
    began = time.monotonic()
    with pytest.raises(ApiError, match="no answer") as failed:
        await api.get("/api/v1/namespaces/shop/pods", "pods")
    assert failed.value.status == 0
    assert 4.9 < time.monotonic() - began < 8
    await api.close()


async def test_the_deadline_can_be_set(silent: str) -> None:
    api = Api(lambda: Access(silent, {}), timeout=0.2)
    began = time.monotonic()
    with pytest.raises(ApiError):
        await api.put("/apis/apps/v1/namespaces/shop/deployments/ws/scale", "deployments/scale", {})
    assert time.monotonic() - began < 2
    await api.close()


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(arguments)


def test_the_command_line_and_the_environment_set_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert options().api_timeout == 5
    assert options("--api-timeout", "2.5").api_timeout == 2.5
    monkeypatch.setenv("HUNARMITRA_OPERATOR_API_TIMEOUT", "3")
    assert options().api_timeout == 3


@pytest.mark.parametrize("wrong", ["0", "-1", "soon", "nan"])
def test_no_deadline_at_all_is_refused(wrong: str) -> None:
    with pytest.raises(SystemExit):
        options(f"--api-timeout={wrong}")


TICK = 0.05


class SteadyTime:
    """The time that the event loop of this test has run. While the machine stalls, it stands still."""

    def __init__(self) -> None:
        self.now = 0.0

    async def tick(self) -> None:
        """Sleep for a tick; no more than two ticks count, however long it took."""
        began = time.monotonic()
        await asyncio.sleep(TICK)
        self.now += min(2 * TICK, time.monotonic() - began)


async def lapses(cluster: FakeCluster, operator: Operator, seconds: float, delay: float = 0) -> list[str]:
    """Run the loop for a while, in real time; return the victims whose lease ended meanwhile."""
    clock = SteadyTime()
    await operator.loop.turn()
    victims = [pod for pod in cluster.pods.values() if pod.leases]
    assert len(victims) == 3
    for pod in victims:
        pod.calls.clear()
    cluster.delay = delay
    end = {pod.name: clock.now + LEASE for pod in victims}
    lapsed = []
    task = asyncio.create_task(operator.loop.run())
    while clock.now < seconds:
        await clock.tick()
        for pod in victims:
            if ("release", cluster.status["drain"]["id"]) in pod.calls:
                lapsed.append(f"{pod.name} was returned to service")
            if any(name == "drain" for name, _ in pod.calls):
                pod.calls.clear()
                end[pod.name] = clock.now + LEASE
            if clock.now > end[pod.name]:
                lapsed.append(pod.name)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return lapsed


@pytest.mark.parametrize(("delay", "timeout"), [(HANGS, 1), (1.2, 3)], ids=["hangs", "slow"])
async def test_a_drain_outlives_it(cluster: FakeCluster, token: Path, delay: float, timeout: float) -> None:
    """A slow turn makes three requests, one after another: longer than a lease, without a missed deadline."""
    operator = Operator(cluster, token, timeout, interval=1)
    await begin(cluster, operator, drain={"windowSeconds": 60, "leaseSeconds": LEASE})
    assert await lapses(cluster, operator, 3 * LEASE, delay) == []
    await operator.stop()


async def test_a_drain_outlives_turns_that_are_far_apart(cluster: FakeCluster, token: Path) -> None:
    operator = Operator(cluster, token, interval=60)
    await begin(cluster, operator, drain={"windowSeconds": 60, "leaseSeconds": LEASE})
    assert await lapses(cluster, operator, 2 * LEASE) == []
    await operator.stop()
