"""Signals that end a process by default: a drain, or a line in the log."""

from __future__ import annotations

import asyncio
import signal

from tests.integration.server.conftest import Clients
from tests.support.eventually import eventually_async
from tests.support.services import OwnServer


async def test_sighup_drains_as_sigterm_does(server: OwnServer, clients: Clients) -> None:
    watcher = await clients.notifications()
    await watcher.joined()
    server.signal(signal.SIGHUP)
    assert await watcher.closed() == (4012, "server is draining")
    assert await asyncio.to_thread(server.wait) == 0
    assert "SIGHUP: draining, then stopping" in server.log_text()


async def test_user_signals_log_the_state_and_end_nothing(server: OwnServer, clients: Clients) -> None:
    watcher = await clients.notifications()
    await watcher.joined()
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        server.signal(number)
        line = f"{number.name}: connections: 0 booking, 1 notifications, 0 shared, 0 joining; drain: serving"
        await eventually_async(lambda line=line: line in server.log_text(), 30, line)  # type: ignore[misc, arg-type]
    assert await watcher.synchronized() == []
