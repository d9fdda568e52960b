"""Of several replicas one leads: elections against an API server, with a time of each replica's own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from fake_cluster import FakeCluster
from fake_lease import FakeLease, Replica, advance
from fake_pod import NAMESPACE
from harness import Operator, begin

from hunarmitra_operator import handlers
from hunarmitra_operator.__main__ import main
from hunarmitra_operator.kubernetes import AGENT, Access, Api, ApiError
from hunarmitra_operator.leader import LEASE_SECONDS, RENEW_SECONDS, RETRY_SECONDS
from hunarmitra_operator.web import application


@pytest.fixture
async def server() -> AsyncIterator[FakeLease]:
    made = FakeLease()
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def replica(server: FakeLease) -> AsyncIterator[Callable[[str], Replica]]:
    """Start a replica of that name."""
    made: list[Replica] = []

    def start(name: str) -> Replica:
        made.append(Replica(server, name))
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        await each.close()


def leads(replica: Replica) -> bool:
    return replica.election.leading


def holder(server: FakeLease) -> str:
    assert server.lease
    return str(server.lease["spec"]["holderIdentity"])


async def test_one_of_two_replicas_that_start_together_leads(
    server: FakeLease, replica: Callable[[str], Replica]
) -> None:
    first, second = replica("a"), replica("b")
    await first.settled()
    await second.settled()
    assert leads(first) is not leads(second)
    await advance(60, first, second)
    assert leads(first) is not leads(second)
    assert server.lease
    assert server.lease["spec"].get("leaseTransitions") == 0
    leader = first if leads(first) else second
    assert holder(server) == leader.election.identity
    assert leader.election.may_write()
    assert server.managers == {AGENT}


async def test_a_released_lease_is_taken_at_the_next_look(server: FakeLease, replica: Callable[[str], Replica]) -> None:
    first = replica("a")
    await first.settled()
    second = replica("b")
    await advance(4, first, second)
    assert not leads(second)
    await first.kill()
    await first.election.release()
    await second.advance(RETRY_SECONDS)
    assert leads(second)
    assert not first.election.may_write()
    assert server.lease
    assert server.lease["spec"]["leaseTransitions"] == 1


async def test_a_killed_leader_is_replaced_when_its_lease_is_over_and_not_before(
    server: FakeLease, replica: Callable[[str], Replica]
) -> None:
    first = replica("a")
    await first.settled()
    second = replica("b")
    await advance(20, first, second)
    await first.kill()
    await second.advance(LEASE_SECONDS - RETRY_SECONDS - 1)
    assert holder(server) == "a"
    await second.advance(2 * RETRY_SECONDS + 1)
    assert holder(server) == "b"
    assert leads(second)


async def test_clocks_are_not_compared(server: FakeLease, replica: Callable[[str], Replica]) -> None:
    first = replica("a")
    await first.settled()
    assert server.lease
    server.lease["spec"]["renewTime"] = "2001-01-01T00:00:00.000000Z"
    second = replica("b")
    await second.settled()
    assert not leads(second)


async def test_a_restarted_container_of_the_same_pod_leads_at_once(
    server: FakeLease, replica: Callable[[str], Replica]
) -> None:
    first = replica("a")
    await first.settled()
    await first.kill()
    again = replica("a")
    await again.settled()
    assert leads(again)
    assert server.lease
    assert server.lease["spec"]["leaseTransitions"] == 0


async def test_while_the_api_server_is_away_the_leader_stays_and_may_not_write(
    server: FakeLease, replica: Callable[[str], Replica]
) -> None:
    first = replica("a")
    await first.settled()
    server.away = True
    await first.advance(RENEW_SECONDS + 1)
    assert leads(first)
    assert not first.election.may_write()
    server.away = False
    await first.advance(RETRY_SECONDS)
    assert first.election.may_write()
    assert first.task
    assert not first.task.done()


async def test_a_leader_that_was_away_too_long_finds_another_and_ends(
    server: FakeLease, replica: Callable[[str], Replica]
) -> None:
    first = replica("a")
    await first.settled()
    second = replica("b")
    await second.settled()
    await second.advance(LEASE_SECONDS + RETRY_SECONDS)  # the first one's process was stopped meanwhile
    assert leads(second)
    await first.advance(RETRY_SECONDS)
    assert first.task
    assert first.task.done()
    assert not leads(first)
    assert not first.election.may_write()


async def test_a_deleted_lease_is_made_again(server: FakeLease, replica: Callable[[str], Replica]) -> None:
    first = replica("a")
    await first.settled()
    server.lease = None
    await first.advance(RETRY_SECONDS)
    assert holder(server) == "a"
    assert first.election.may_write()


async def test_a_missing_right_is_named(
    server: FakeLease, replica: Callable[[str], Replica], caplog: pytest.LogCaptureFixture
) -> None:
    server.forbidden = True
    with caplog.at_level(logging.WARNING):
        first = replica("a")
        await first.settled()
    assert "its Role must allow get, create and update of leases" in caplog.text
    assert not leads(first)


async def test_without_a_renewed_lease_nothing_is_written(cluster: FakeCluster) -> None:
    api = Api(lambda: Access(cluster.url, {}), 30, may_write=lambda: False)
    before = len(cluster.requests)
    for write in (api.put, api.post, api.merge):
        with pytest.raises(ApiError, match="another replica may lead"):
            await write("/somewhere", "something", {})
    assert len(cluster.requests) == before
    await api.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/ws", "deployments")
    await api.close()


async def test_a_leader_killed_in_mid_drain_is_replaced_before_a_drain_lease_ends(
    cluster: FakeCluster, server: FakeLease, replica: Callable[[str], Replica], operator: Operator, token: Path
) -> None:
    first = replica("a")
    await first.settled()
    second = replica("b")
    await second.settled()
    await begin(cluster, operator, drain={"windowSeconds": 60, "leaseSeconds": 15})
    identity = cluster.status["drain"]["id"]
    await first.kill()
    waited = 0
    while not leads(second):
        await second.advance(1)
        await cluster.advance(1)
        waited += 1
    assert waited < 15
    successor = Operator(cluster, token)
    await successor.turns()
    assert cluster.status["drain"]["id"] == identity
    await successor.until("Steady")
    await successor.stop()
    assert sorted(cluster.pods) == ["ws-0", "ws-2"]
    assert cluster.moved == 70, "nobody was moved twice"
    assert cluster.cut == 0


async def test_a_replica_that_is_replaced_ends_its_process(
    cluster: FakeCluster, server: FakeLease, replica: Callable[[str], Replica], operator: Operator
) -> None:
    made = replica("a")
    await made.kill()
    made.task = None
    options = handlers.Options((NAMESPACE,), None, election=made.election)
    made.task = asyncio.create_task(handlers.lead(options, operator.loop))
    await made.settled()
    assert server.lease
    server.lease["spec"]["holderIdentity"] = "b"
    await made.advance(RETRY_SECONDS)
    assert made.task.done()
    assert options.stop.is_set()
    assert options.lost


async def test_a_replica_that_stands_by_is_live_and_ready(operator: Operator) -> None:
    operator.loop.finished -= 3600
    async with TestClient(TestServer(application(operator.loop, lambda: False))) as client:
        assert (await client.get("/livez")).status == 200
        ready = await client.get("/readyz")
        assert ready.status == 200
        assert await ready.text() == "standing by\n"


@pytest.mark.parametrize("wrong", ["operator", "Shop/operator", "shop/", "shop/a_b"])
def test_a_lease_needs_a_namespace_and_a_name(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--all-namespaces", "--lease", wrong])
    assert wrong.partition("/")[0] in capsys.readouterr().err
