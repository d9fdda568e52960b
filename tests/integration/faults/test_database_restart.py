"""PostgreSQL goes away and comes back: REST says so, open sockets stay open, and nothing is missing."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.clock import steady
from tests.support.eventually import eventually_async
from tests.support.postgres import PostgresServer
from tests.support.scene import off_loop, scene
from tests.support.sockets import Socket

pytestmark = pytest.mark.usefixtures("over_rarely")

logger = logging.getLogger(__name__)

LIMIT = 10.0
"""Seconds after PostgreSQL's return until an open socket is complete."""


@pytest.mark.slow
async def test_connections_stay_open_and_become_complete_and_rest_answers_503_meanwhile(tmp_path: Path) -> None:
    with PostgresServer() as postgres, scene(tmp_path, postgres) as system:
        actors = system.actors
        booking_id = await system.new_booking("confirmed")
        async with AsyncExitStack() as stack:
            sockets: list[Socket] = []
            for pod in (0, 1):
                sockets.append(await stack.enter_async_context(await system.watch(booking_id, pod=pod)))
                url = system.stack.notifications_url(pod)
                sockets.append(await stack.enter_async_context(await Socket.connect(url, token=actors.employer.token)))
            for socket in sockets:
                await socket.joined()
            starts = [socket.frames[0]["seq"] for socket in sockets]
            relay = system.stack.relay
            assert relay is not None
            relay_pid = relay.pid

            system.faults.arm("committed, not published", "raise")
            await off_loop(actors.worker.status, booking_id, "on_the_way")
            # A fast shutdown: an immediate one loses commits, for the tests' servers do not wait for the disk.
            postgres.process.signal(signal.SIGINT)
            postgres.process.wait()

            calls = [
                off_loop(actors.worker.call, method, path, body, expect=503)
                for method, path, body in [
                    ("GET", f"bookings/{booking_id}/", None),
                    ("PATCH", f"bookings/{booking_id}/status/", {"status": "arrived"}),
                    ("POST", f"tracking/{booking_id}/", {"lat": 28.0, "lng": 77.0}),
                    ("GET", "notifications/", None),
                ]
            ]
            refused = await stack.enter_async_context(await system.watch(booking_id))
            for answer in await asyncio.gather(*calls):
                assert set(answer) >= {"detail", "code"}
            assert (await refused.next_of("error"))["code"] == "unavailable"
            await refused.closed()
            for socket in sockets:
                await socket.synchronized()

            await off_loop(postgres.process.start)
            returned = steady()
            for socket, start in zip(sockets, starts, strict=True):
                await socket.until_seq(start + 1, max(0.0, LIMIT - (steady() - returned)))
            complete = steady() - returned

            async def works() -> bool:
                return (await off_loop(actors.worker.send, "GET", "users/me/")).status_code == 200

            await eventually_async(works, LIMIT, "REST works again")
            answers = steady() - returned
            await off_loop(actors.worker.status, booking_id, "arrived")
            await off_loop(actors.worker.status, booking_id, "completed")
            for socket, start in zip(sockets, starts, strict=True):
                await socket.until_seq(start + 3)
                await socket.synchronized()
                assert socket.seqs() == [start + 1, start + 2, start + 3]
            await eventually_async(lambda: not system.unpublished(booking_id), 30, "the relay goes on")
            assert relay.alive
            assert relay.pid == relay_pid
    logger.info("complete %.1f s and REST working %.1f s after PostgreSQL's return", complete, answers)


@pytest.mark.slow
async def test_nothing_fails_after_a_restart_that_nobody_met(tmp_path: Path) -> None:
    """Connections that the pools kept are dead by then, and must not be handed out."""
    with PostgresServer() as postgres, scene(tmp_path, postgres, ws=1) as system:
        worker = system.actors.worker
        booking_id = await system.new_booking()

        async def at_once() -> None:
            """Six requests and six joins, so that the pools keep several connections."""
            await asyncio.gather(*(off_loop(worker.booking, booking_id) for _ in range(6)))
            async with AsyncExitStack() as stack:
                sockets = await asyncio.gather(*(system.watch(booking_id) for _ in range(6)))
                for socket in sockets:
                    await stack.enter_async_context(socket)
                for socket in sockets:
                    await socket.joined()

        await at_once()
        postgres.process.signal(signal.SIGINT)
        postgres.process.wait()
        await off_loop(postgres.process.start)
        await at_once()
