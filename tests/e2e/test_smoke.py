"""Installed, it does what the contract says, through the ingress; a rolling restart goes unnoticed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Literal

import httpx
import pytest

from tests.e2e import in_pods
from tests.e2e.cluster import Release, get
from tests.e2e.conftest import People
from tests.e2e.watching import Crowd, Traffic
from tests.support.eventually import eventually
from tests.support.sockets import Socket

MOST_MIB = {"http": 99, "ws": 110, "operator": 24}
"""Of our part of each image: no more than version 0.1 had."""
NOT_IN = {
    "http": ["twisted", "daphne", "autobahn", "uvicorn", "kopf", "pip"],
    "ws": ["gunicorn", "drf_spectacular", "whitenoise", "uvicorn", "kopf", "hunarmitra_http", "pip"],
}


def test_helm_test_passes(release: Release) -> None:
    said = release.helm("test", "--logs", "--timeout", "2m")
    assert "the event's way from one to the other work" in said


def test_what_the_helm_test_made_is_gone(release: Release) -> None:
    assert release.call("http", in_pods.helm_test_users) == 0


@pytest.mark.parametrize("component", ["http", "ws"])
def test_an_image_holds_only_what_it_needs(release: Release, component: str) -> None:
    found = release.call(component, in_pods.look_inside, absent=NOT_IN[component])
    assert found["mib"] <= MOST_MIB[component]
    found.pop("mib")
    assert found == {"uid": 10001, "modules": [], "compilers": [], "root": False, "tmp": True, "token": False}


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/drain", "/connections"])
def test_the_ingress_leads_to_no_probe_and_no_control(release: Release, path: str) -> None:
    for prefix in ("", "/api", "/ws"):
        answer = httpx.get(f"{release.base_url}{prefix}{path}", trust_env=False, timeout=30)
        assert answer.status_code in {403, 404}, f"{prefix}{path}: {answer.status_code}"


def test_the_control_port_wants_its_token(release: Release) -> None:
    assert release.call("ws", in_pods.get_status, url="http://127.0.0.1:8082/connections") == 401


@pytest.mark.parametrize("how", ["query", "subprotocol", "ticket"])
async def test_a_watcher_sees_the_booking_change(
    release: Release, people: People, how: Literal["query", "subprotocol", "ticket"]
) -> None:
    [booking] = await asyncio.to_thread(people.bookings, 1)
    secret = people.employer.ticket() if how == "ticket" else people.employer.token
    url = release.booking_url(booking)
    async with await Socket.connect(url, token=secret, how=how, since=0) as socket:
        joined = await socket.joined()
        assert (joined["seq"], joined["status"]) == (3, "confirmed")
        await socket.until_seq(3)
        await asyncio.to_thread(people.worker.status, booking, "on_the_way")
        assert (await socket.until_seq(4))[-1]["status"] == "on_the_way"
        await asyncio.to_thread(people.worker.track, booking, 28.6139, 77.2090)
        assert (await socket.next_of("location_update"))["actor"] == people.worker.user.name
        assert socket.seqs() == [1, 2, 3, 4]
        await socket.synchronized()


@pytest.mark.parametrize(("who", "code"), [("nobody", 4001), ("stranger", 4003)])
async def test_who_may_not_watch_is_told_why(release: Release, people: People, who: str, code: int) -> None:
    [booking] = await asyncio.to_thread(people.bookings, 1)
    token = "not-a-token" if who == "nobody" else people.stranger.token
    async with await Socket.connect(release.booking_url(booking), token=token) as socket:
        assert (await socket.next_frame())["type"] == "error"
        assert (await socket.closed())[0] == code


async def test_notifications_arrive(release: Release, people: People) -> None:
    async with await Socket.connect(f"{release.ws_url}/ws/notifications/", token=people.employer.token) as socket:
        await socket.joined()
        [booking] = await asyncio.to_thread(people.bookings, 1)
        assert (await socket.next_of("notification"))["data"]["booking_id"] == booking


def test_the_ingress_saw_no_token_of_a_client_that_uses_tickets(release: Release, people: People) -> None:
    """E2E_INGRESS_LOG is the ingress's access log, where the test can read it."""
    log = os.environ.get("E2E_INGRESS_LOG")
    if log is None:
        pytest.skip("E2E_INGRESS_LOG is not set")
    ticket = people.worker.ticket()

    async def use_it_twice() -> list[int]:
        codes = []
        for _ in range(2):
            async with await Socket.connect(
                f"{release.ws_url}/ws/notifications/", token=ticket, how="ticket"
            ) as socket:
                first = await socket.next_frame()
                codes.append(0 if first["type"] == "connection_established" else (await socket.closed())[0])
        return codes

    assert asyncio.run(use_it_twice()) == [0, 4001], "a ticket that stands in the log is spent"
    # The ingress writes a connection's line when it is over.
    eventually(lambda: ticket in Path(log).read_text(errors="replace"), 60, "the ingress has logged the ticket")
    text = Path(log).read_text(errors="replace")
    for actor in (people.worker, people.admin, people.stranger):
        for secret in (actor.refresh_token, actor.user.password):
            assert secret not in text
    assert people.worker.token not in text


async def test_a_rolling_restart_of_ws_goes_unnoticed(release: Release, people: People) -> None:
    bookings = await asyncio.to_thread(people.bookings, 4)
    before = {pod["metadata"]["uid"] for pod in release.pods("ws")}

    async with Crowd(release.booking_url, people.employer.token, bookings, 24) as crowd:
        with Traffic(people.admin, people.workers, bookings, per_second=8) as traffic:
            await asyncio.to_thread(release.restart, "ws")
            await asyncio.to_thread(release.rolled_out, "ws")
        await crowd.complete(await asyncio.to_thread(traffic.last_seqs))
        assert traffic.failures == []
        assert traffic.requests > 20
        # Told to move by the server, with a frame and 4012; nobody was cut off.
        assert set(crowd.codes()) == {4012}, crowd.codes()
        assert all(watcher.connects >= 2 for watcher in crowd.all)
    assert not before & {pod["metadata"]["uid"] for pod in get("pods", namespace=release.namespace)["items"]}
