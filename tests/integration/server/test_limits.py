"""Slow clients, full servers, crowds, large messages and dead peers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import signal
import socket as plain_sockets
import sqlite3
import time
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from tests.integration.server.conftest import Clients, own_clients, own_server, readiness
from tests.support import web
from tests.support.eventually import eventually, eventually_async
from tests.support.raw_sockets import CLOSE, TEXT, RawSocket, frame
from tests.support.services import OwnServer
from tests.support.sockets import SharedView, Socket

pytestmark = pytest.mark.usefixtures("over_rarely")


def _metric(server: OwnServer, line: str) -> float:
    text = web.get(f"{server.admin_url}/metrics", timeout=30).text
    return float(next(row for row in text.splitlines() if row.startswith(line)).rsplit(" ", 1)[1])


def _kind(endpoint: str) -> str:
    """The label of connections in metrics."""
    return "shared" if Socket.over_shared else endpoint


def _deaf_client(port: int, path: str) -> plain_sockets.socket:
    """Upgrades and then never reads; its window is as small as the kernel allows."""
    view = SharedView.of(path, None) if Socket.over_shared else None
    path = view.url if view else path
    client = plain_sockets.socket()
    client.setsockopt(plain_sockets.SOL_SOCKET, plain_sockets.SO_RCVBUF, 2048)
    client.connect(("127.0.0.1", port))
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    if view:
        client.sendall(frame(TEXT, json.dumps(view.subscribe).encode()))
    return client


def _insert_events(database_url: str, booking: str, count: int) -> None:
    """Long events of processes that died before they published them: the server recovers them from the database."""
    path = database_url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, timeout=60)) as database, database:
        key = booking.replace("-", "")
        [seq] = database.execute("SELECT seq FROM bookings_booking WHERE id = ?", [key]).fetchone()
        database.execute("UPDATE bookings_booking SET seq = seq + ? WHERE id = ?", [count, key])
        database.executemany(
            "INSERT INTO bookings_bookingevent"
            " (booking_id, seq, event_type, status, actor, clears_location, created_at)"
            " VALUES (?, ?, 'booking_assigned', 'requested', ?, 0, '2026-01-01 00:00:00')",
            [(key, number, "A" * 120) for number in range(seq + 1, seq + 1 + count)],
        )


async def test_a_client_that_does_not_read_is_closed_4008_and_then_aborted(tmp_path: Path) -> None:
    async with own_clients(tmp_path, WS_SEND_BUFFER_BYTES="4096") as (server, clients):
        booking = clients.actors.new_booking("requested")
        deaf = _deaf_client(server.port, f"/ws/bookings/{booking}/?token={clients.actors.employer.token}")
        healthy = await clients.watch(clients.actors.new_booking("requested"))
        await healthy.joined()

        def overflow() -> bool:
            _insert_events(server.environment["DATABASE_URL"], booking, 500)
            return _metric(server, "hunarmitra_ws_slow_clients_closed_total") == 1

        await asyncio.to_thread(eventually, overflow, 60, "the overflow is noticed")
        await eventually_async(
            lambda: _metric(server, f'hunarmitra_ws_connections{{kind="{_kind("booking")}"}}') == 1,
            30,
            "the client is aborted",
        )
        deaf.close()
        await healthy.synchronized()


@pytest.mark.slow
async def test_a_log_larger_than_the_send_buffer_is_replayed_as_fast_as_it_is_read(tmp_path: Path) -> None:
    """In pages of 20, while live events and pings go on; nobody is closed 4008."""
    limits = {"WS_SEND_BUFFER_BYTES": "4096", "WS_REPLAY_PAGE_EVENTS": "20"}
    async with own_clients(tmp_path, **limits) as (server, clients):
        actors = clients.actors
        booking = actors.new_booking("requested")
        workers = (actors.worker, actors.other_worker)
        for number in range(60):
            await asyncio.to_thread(actors.admin.assign, booking, workers[number % 2].id)
        resumed = await clients.watch(booking, since=0)
        newest = (await resumed.joined())["seq"]
        assert newest * 150 > 2 * 4096
        await asyncio.to_thread(actors.admin.assign, booking, workers[0].id)
        await resumed.until_seq(newest + 1)
        assert resumed.seqs() == list(range(1, newest + 2))
        assert await resumed.synchronized() == []
        assert _metric(server, "hunarmitra_ws_slow_clients_closed_total") == 0


async def test_a_client_that_resumes_in_a_loop_waits_and_others_do_not(tmp_path: Path) -> None:
    """500 events are replayed completely, although the user may have 100 a minute; the next replay waits minutes."""
    async with own_clients(tmp_path, WS_REPLAYED_EVENTS_PER_MINUTE="100") as (server, clients):
        booking = clients.actors.new_booking("requested")
        _insert_events(server.environment["DATABASE_URL"], booking, 500)
        resumed = await clients.watch(booking, since=0)
        newest = (await resumed.joined())["seq"]
        await resumed.until_seq(newest)
        waiting = await clients.watch(booking, since=0)
        fresh = await clients.watch(booking)
        await fresh.joined()
        other = await clients.notifications(since=0)
        await other.joined()
        await resumed.synchronized()
        assert waiting.frames == []


async def test_a_full_server_says_so(tmp_path: Path) -> None:
    async with own_clients(tmp_path, WS_MAX_CONNECTIONS="2") as (server, clients):
        inside = [await clients.notifications() for _ in range(2)]
        for socket in inside:
            await socket.joined()
        outside = await clients.notifications()
        assert await outside.closed() == (4013, "server is full")
        assert outside.frames[0]["code"] == "full"
        assert readiness(server)[1]["full"] is True
        await inside[0].close()
        await eventually_async(
            lambda: _metric(server, f'hunarmitra_ws_connections{{kind="{_kind("notifications")}"}}') < 2,
            30,
            "a place is free",
        )
        again = await clients.notifications()
        await again.joined()


async def test_a_crowd_is_told_when_to_come_back(tmp_path: Path) -> None:
    """No more come in a burst; those after them are told a time of their own each, five seconds apart."""
    async with own_clients(tmp_path, WS_CONNECTS_PER_SECOND="0.2", WS_CONNECT_BURST="3") as (_, clients):
        begun = time.monotonic()
        crowd = [await clients.notifications() for _ in range(8)]
        first = [await socket.next_frame() for socket in crowd]
        seconds = time.monotonic() - begun
        turned_away = [frame["after_ms"] for frame in first if frame["type"] == "reconnect"]
        assert 5 - seconds // 5 <= len(turned_away) <= 5
        apart = [later - earlier for earlier, later in itertools.pairwise(turned_away)]
        assert all(5_000 - 1000 * seconds - 900 <= each <= 5_900 for each in apart)


async def test_rejected_connections_take_nobodys_place(tmp_path: Path) -> None:
    """They ignore the close, and the server waits for them: others are admitted meanwhile."""
    limits = {"WS_MAX_CONNECTIONS": "2", "WS_CONNECT_BURST": "2", "WS_CONNECTS_PER_SECOND": "0.1"}
    async with own_clients(tmp_path, WS_CLOSE_TIMEOUT="300", **limits) as (server, clients):
        with contextlib.ExitStack() as rejected:
            for _ in range(5):
                without_token = rejected.enter_context(RawSocket(server.port))
                without_token.upgrade("/ws/notifications/")
                assert any(opcode == CLOSE for opcode, _ in without_token.frames())
            for _ in range(2):
                await (await clients.notifications()).joined()


def test_a_crowd_waits_in_the_accept_queue_while_the_server_is_busy(tmp_path: Path) -> None:
    """Twisted's own queue of 50 would make the kernel drop the others, who would try again seconds later."""
    with own_server(tmp_path) as (server, _), contextlib.ExitStack() as crowd:
        server.signal(signal.SIGSTOP)
        try:
            for _ in range(300):
                address = ("127.0.0.1", server.port)
                crowd.enter_context(plain_sockets.create_connection(address, timeout=30))
        finally:
            server.signal(signal.SIGCONT)


async def test_our_server_closes_1009_with_its_code(clients: Clients) -> None:
    socket = await clients.notifications()
    await socket.joined()
    await socket.send_raw("x" * 16384)
    assert (await socket.next_frame())["code"] == "invalid_json"
    await socket.send_raw("x" * 16385)
    assert (await socket.closed())[0] == 1009


@pytest.mark.slow
async def test_a_dead_client_is_dropped(tmp_path: Path) -> None:
    async with own_clients(tmp_path, WS_PING_INTERVAL="1", WS_PING_TIMEOUT="4") as (server, clients):
        dead = _deaf_client(server.port, f"/ws/notifications/?token={clients.actors.employer.token}")
        alive = await clients.notifications()
        await alive.joined()
        kind = f'{{kind="{_kind("notifications")}"}}'
        await eventually_async(
            lambda: _metric(server, f"hunarmitra_ws_connects_total{kind}") == 2, 30, "both have come"
        )
        await eventually_async(lambda: _metric(server, f"hunarmitra_ws_connections{kind}") == 1, 30, "one is dropped")
        await alive.synchronized()
        dead.close()


@pytest.mark.parametrize("origin", ["null", "file://"])
async def test_a_page_of_no_origin_is_refused_as_any_other(shared_server: OwnServer, origin: str) -> None:
    """By the application with its 403, and not with a 400 by a library that has an opinion of its own."""
    with pytest.raises(InvalidStatus) as refused:
        await Socket.connect(f"{shared_server.ws_url}/ws/notifications/", token="any", origin=origin)
    assert refused.value.response.status_code == 403
