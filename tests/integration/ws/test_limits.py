"""How many sockets one user may have, and how often one address may be turned away."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal

import pytest
from websockets.asyncio.client import connect as open_connection

from hunarmitra_ws.failed_handshakes import MOST_ADDRESSES, FailedHandshakes
from tests.support.eventually import eventually_async
from tests.support.live import Newcomer, Person, check_error, join, on_every_server, rejection
from tests.support.shell import Shell
from tests.support.sockets import Socket
from tests.support.stack import Stack, embedded_stack

pytestmark = pytest.mark.usefixtures("over_rarely")

SOCKETS_PER_USER = 20
FAILURES_PER_MINUTE = 60


@on_every_server
async def test_of_more_than_twenty_connections_of_a_user_the_newest_is_refused_4029(
    live: Stack, newcomer: Newcomer
) -> None:
    person, other = newcomer(), newcomer()
    booking = person.create_booking()["id"]
    urls = (live.notifications_url(), live.booking_url(booking))
    async with AsyncExitStack() as stack:
        bystander = await stack.enter_async_context(await join(live.notifications_url(), other.token))
        opened = [
            await stack.enter_async_context(await join(urls[number % 2], person.token))
            for number in range(SOCKETS_PER_USER)
        ]
        for url in (*urls, live.shared_url()):
            assert await rejection(url, person.token) == ("too_many_sockets", 4029)
        assert all([await socket.synchronized() == [] for socket in (*opened, bystander)])
        # One that left makes room for another, also for a shared one, which takes one place.
        await opened[0].close()
        shared = await stack.enter_async_context(await connected(live.shared_url(), person.token))
        await shared.send({"type": "subscribe", "channel": "booking", "booking_id": booking})
        await shared.next_of("connection_established")
        assert await rejection(urls[0], person.token) == ("too_many_sockets", 4029)


async def connected(url: str, token: str) -> Socket:
    """A connection of `/ws/`, once the server has noticed that another has left."""
    opened: list[Socket] = []

    async def accepted() -> bool:
        socket = await Socket.connect(url, token=token)
        opened.append(socket)
        return bool((await socket.next_frame())["type"] == "connected")

    await eventually_async(accepted, 30, "a place is free")
    return opened[-1]


@pytest.mark.parametrize("server", [pytest.param("daphne", marks=pytest.mark.slow), "hunarmitra_ws"])
async def test_the_oldest_connection_gives_way_once_it_has_been_silent_for_two_heartbeats(
    tmp_path: Path, server: Literal["daphne", "hunarmitra_ws"]
) -> None:
    settings: dict[str, Any] = {
        "WS_SOCKETS_PER_USER": "2",
        "WS_HEARTBEAT": "1",
        "WS_DRAIN_SETTLE": "0",
        "WS_DRAIN_WINDOW": "0",
    }
    with embedded_stack(tmp_path, server=server, **settings) as stack:
        with Shell(stack) as shell:
            person = Person(stack, shell)
        url = stack.notifications_url()
        oldest, other = await join(url, person.token), await join(url, person.token)

        async def accepted() -> bool:
            await other.synchronized()
            async with await Socket.connect(url, token=person.token) as socket:
                return bool((await socket.next_frame())["type"] == "connection_established")

        await eventually_async(accepted, 30, "the oldest has been silent", interval=0.3)
        assert await oldest.closed() == (4029, "too many messages or sockets" if server != "daphne" else "")
        assert check_error(oldest.frames[-1]) == "too_many_sockets"
        assert await other.synchronized() == []
        person.close()


@on_every_server
async def test_a_connection_that_is_turned_away_closes_no_other(live: Stack, newcomer: Newcomer) -> None:
    """Neither a signed-out device that keeps trying nor a wrong booking costs the user's open sockets anything.

    On `/ws/` a wrong booking needs a place, because the connection itself is admitted.
    """
    person, stranger = newcomer(), newcomer()
    foreign = stranger.create_booking()["id"]
    signed_out, refresh = person.new_session()
    async with AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(await join(live.notifications_url(), person.token))
            for _ in range(SOCKETS_PER_USER - Socket.over_shared)
        ]
        person.call("POST", "auth/logout/", {"refresh": refresh}, expect=205)
        assert await rejection(live.notifications_url(), signed_out) == ("unauthenticated", 4001)
        assert await rejection(live.booking_url(foreign), person.token) == ("forbidden", 4003)
        assert all([await socket.synchronized() == [] for socket in sockets])


@pytest.mark.slow
@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
async def test_an_address_that_fails_sixty_times_a_minute_is_left_waiting(
    tmp_path: Path, server: Literal["daphne", "uvicorn"]
) -> None:
    limit = str(FAILURES_PER_MINUTE)
    with embedded_stack(tmp_path, server=server, WS_FAILED_HANDSHAKES_PER_MINUTE=limit) as stack:
        with Shell(stack) as shell:
            person = Person(stack, shell)
        url = stack.notifications_url()
        failures = await asyncio.gather(*(rejection(url, "wrong") for _ in range(FAILURES_PER_MINUTE - 1)))
        assert set(failures) == {("unauthenticated", 4001)}
        await (await join(url, person.token)).close()  # successes do not count
        assert await rejection(url, "wrong") == ("unauthenticated", 4001)
        assert await rejection(url, "wrong") == ("too_many_attempts", 4029)
        await (await join(url, person.token)).close()  # others' failures do not limit a valid token
        elsewhere = await open_connection(f"{url}?token={person.token}", local_addr=("127.0.0.2", 0), proxy=None)
        async with Socket(elsewhere) as socket:
            await socket.joined()
        person.close()


def test_the_failures_of_an_address_are_forgotten_after_a_minute() -> None:
    failed = FailedHandshakes(2)
    for now in (100.0, 130.0):
        failed.record("a", now)
    assert failed.exceeded("a", 159.9)
    assert not failed.exceeded("b", 159.9)
    assert not failed.exceeded("a", 160.0)
    failed.record("a", 160.0)
    assert not failed.exceeded("a", 160.0)


def test_a_flood_of_addresses_fills_no_memory() -> None:
    failed = FailedHandshakes(1)
    for number in range(MOST_ADDRESSES + 1):
        failed.record(str(number), 0.0)
    assert not failed.exceeded("0", 1.0)
    assert failed.exceeded(str(MOST_ADDRESSES), 1.0)
