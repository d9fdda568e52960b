"""A socket on which nothing is said for a long time lives on: past redis-py's timeout and the servers' timers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_connection
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response

from tests.support.actors import Actors
from tests.support.eventually import eventually_async
from tests.support.live import SERVERS, Pings, live_stacks
from tests.support.postgres import PostgresServer
from tests.support.sockets import SharedView, Socket
from tests.support.stack import Stack

OFTEN: Pings = (1, 7)
PINGS = 8
"""At one a second: longer than redis-py's default read timeout of 5 s and the shortened pong timeouts."""


class CountsPings(ClientConnection):
    """Counts the server's pings, which the library answers without a word."""

    pings = 0

    def process_event(self, event: Frame | Request | Response) -> None:
        if isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.pings += 1
        super().process_event(event)


@pytest.mark.slow
async def test_an_idle_connection_lives_on_and_hears_of_the_next_event(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    with live_stacks(tmp_path, postgres_server, pings=OFTEN) as stack_of:
        await asyncio.gather(*[idle_on(stack_of(name)) for name in SERVERS])


async def idle_on(stack: Stack) -> None:
    people = await asyncio.to_thread(Actors.of, stack)
    booking = await asyncio.to_thread(people.new_booking, "confirmed")
    urls = [stack.booking_url(booking, pod) for pod in (0, 1)] + [stack.notifications_url()]
    views = [None, None, None, SharedView.of(urls[0], None), SharedView.of(urls[2], None)]
    urls += [view.url for view in views if view is not None]
    connections = [
        await open_connection(
            f"{url}?token={people.employer.token}", ping_interval=None, proxy=None, create_connection=CountsPings
        )
        for url in urls
    ]
    sockets = [Socket(connection, view) for connection, view in zip(connections, views, strict=True)]
    for socket in sockets:
        await socket.joined()

    def pinged() -> bool:
        return all(isinstance(each, CountsPings) and each.pings >= PINGS for each in connections)

    await eventually_async(pinged, message=f"{PINGS} pings of {stack.ws[0].name}")
    assert all(len(socket.frames) == 1 and socket.is_open for socket in sockets)
    await asyncio.to_thread(people.worker.status, booking, "on_the_way")
    for socket in sockets:
        await socket.frames_until(lambda frame: "on_the_way" in str(frame))
        await socket.close()
    people.close()
