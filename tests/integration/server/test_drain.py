"""A drain moves every client away in time, spread over the window, and loses nobody an event."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.integration.server.conftest import TOKEN, Clients, own_clients, readiness
from tests.support.eventually import eventually_async
from tests.support.metrics import Scrape
from tests.support.services import OwnServer
from tests.support.sockets import Socket

pytestmark = pytest.mark.usefixtures("over_rarely")

AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


def _control(server: OwnServer) -> httpx.Client:
    return httpx.Client(base_url=server.control_url, headers=AUTHORIZED, trust_env=False, timeout=30)


def _state(control: httpx.Client) -> str:
    return str(control.get("/connections").json()["drain"]["state"])


async def _watch(clients: Clients, number: int) -> tuple[str, list[Socket]]:
    booking = clients.actors.new_booking("requested")
    sockets = [await clients.watch(booking) for _ in range(number)]
    for socket in sockets:
        await socket.joined()
    return booking, sockets


async def test_sigterm_moves_everybody_away_spread_over_the_window_and_exits_0(
    server: OwnServer, clients: Clients
) -> None:
    _, sockets = await _watch(clients, 20)
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    moments = []

    async def moved(socket: Socket) -> None:
        assert await socket.closed() == (4012, "server is draining")
        moments.append(time.monotonic() - began)
        reconnect = socket.frames[-1]
        assert reconnect["type"] == "reconnect"
        assert 100 <= reconnect["after_ms"] <= 1000

    await asyncio.gather(*(moved(socket) for socket in sockets))
    assert min(moments) >= 0.5, "nobody is moved before the endpoints have forgotten the pod"
    assert max(moments) - min(moments) >= 0.8, "the moves are spread"
    assert await asyncio.to_thread(server.wait) == 0


@pytest.mark.slow
async def test_a_newcomer_of_a_process_that_ends_is_told_to_reconnect(tmp_path: Path) -> None:
    async with own_clients(tmp_path, WS_DRAIN_SETTLE="0", WS_DRAIN_WINDOW="300", WS_GRACE="310") as (server, clients):
        booking, _ = await _watch(clients, 3)
        server.signal(signal.SIGTERM)
        with _control(server) as control:
            await eventually_async(lambda: _state(control) == "draining", 30, "the drain has begun")
            newcomer = await clients.watch(booking)
            assert await newcomer.closed() == (4012, "server is draining")
            assert [frame["type"] for frame in newcomer.frames] == ["reconnect"]
        server.kill()


@pytest.mark.slow
async def test_newcomers_under_a_lease_are_served_and_nobody_is_moved_while_they_come(tmp_path: Path) -> None:
    """They show that the endpoints still contain this pod: a moved client would come straight back."""
    async with own_clients(tmp_path, WS_DRAIN_SETTLE="3", WS_DRAIN_WINDOW="0.1") as (server, clients):
        booking, first = await _watch(clients, 1)
        with _control(server) as control:
            assert control.post("/drain", json={"id": "test", "ttl_seconds": 60}).status_code == 202
            assert await first[0].closed() == (4012, "server is draining")
            await eventually_async(lambda: _state(control) == "empty", 30, "the drain is done")
            came = time.monotonic()
            newcomer = await clients.watch(booking)
            await newcomer.joined()
            assert await newcomer.closed() == (4012, "server is draining")
            assert time.monotonic() - came >= 3
            await eventually_async(lambda: _state(control) == "empty", 30, "the drain is done again")
    assert not server.alive, "what is empty ends at once"


async def test_a_lease_that_is_not_renewed_ends_by_itself(server: OwnServer, clients: Clients) -> None:
    with _control(server) as control:
        control.post("/drain", json={"id": "operator", "ttl_seconds": 60})
        assert readiness(server)[0] == 503
        control.post("/drain", json={"id": "operator", "ttl_seconds": 1})
        await eventually_async(lambda: readiness(server)[0] == 200, 30, "ready again")
        assert control.get("/connections").json()["drain"] == {"state": "serving", "moved": 0, "leases": {}}
    _, sockets = await _watch(clients, 1)
    await sockets[0].synchronized()


@pytest.mark.slow
async def test_a_drain_can_be_taken_back_and_those_who_stayed_go_on(tmp_path: Path) -> None:
    async with own_clients(tmp_path, WS_DRAIN_SETTLE="60", WS_GRACE="70") as (server, clients):
        booking, sockets = await _watch(clients, 5)
        with _control(server) as control:
            control.post("/drain", json={"id": "a", "ttl_seconds": 60})
            control.post("/drain", json={"id": "b", "ttl_seconds": 60})
            assert control.delete("/drain", params={"id": "a"}).status_code == 200
            assert control.get("/connections").json()["drain"]["state"] == "settling"
            assert control.delete("/drain", params={"id": "b"}).json()["state"] == "serving"
            assert control.delete("/drain", params={"id": "b"}).status_code == 404
        clients.actors.employer.status(booking, "confirmed")
        for socket in sockets:
            assert (await socket.next_of("booking_status"))["status"] == "confirmed"
        server.kill()  # or it would settle once more


async def test_shedding_moves_as_many_as_asked(server: OwnServer, clients: Clients) -> None:
    _, sockets = await _watch(clients, 6)
    with _control(server) as control:
        assert control.get("/connections").json()["sheddable"] == 6
        assert control.post("/shed", json={"connections": 2}).json() == {"moved": 2}
        await eventually_async(lambda: control.get("/connections").json()["total"] == 4, 30, "two have gone")
    assert Scrape(f"{server.admin_url}/metrics")("hunarmitra_ws_drain_moved_total") == 2
    # The server forgets a connection before its client has read the close.
    await eventually_async(lambda: sum(not socket.is_open for socket in sockets) >= 2, 30, "two clients know it")
    closed = [socket for socket in sockets if not socket.is_open]
    assert [await socket.closed() for socket in closed] == [(4012, "server is draining")] * 2


async def test_clients_that_resume_elsewhere_miss_nothing(server: OwnServer, clients: Clients) -> None:
    booking, sockets = await _watch(clients, 3)
    server.signal(signal.SIGTERM)
    clients.actors.employer.status(booking, "confirmed")
    for socket in sockets:
        await socket.closed()
    await asyncio.to_thread(server.wait)
    await asyncio.to_thread(server.restart)
    for socket in sockets:
        since = max([1, *socket.seqs()])
        again = await clients.watch(booking, since=since)
        await again.joined()
        await again.synchronized()
        assert [*socket.seqs(), *again.seqs()] == [2]
