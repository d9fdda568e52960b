"""The ws server with short times, on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import web
from tests.support.actors import Actors
from tests.support.services import OwnServer, ServiceProcess, daphne
from tests.support.sockets import Socket
from tests.support.stack import Stack, base_environment, fresh_sqlite

TOKEN = "control-token-of-the-tests"


@contextmanager
def own_server(directory: Path, **variables: str) -> Iterator[tuple[OwnServer, Stack]]:
    """Run the ws server, and an http process on the same database."""
    token_file = directory / "control-token"
    token_file.write_text(TOKEN)
    given = {
        "WS_DRAIN_SETTLE": "0.5",
        "WS_DRAIN_WINDOW": "2",
        "WS_GRACE": "10",
        "WS_CLOSE_TIMEOUT": "2",
        "WS_SHED_MIN_AGE": "0",
        "WS_CONTROL_HOST": "127.0.0.1",
        "WS_CONTROL_TOKEN_FILE": str(token_file),
        "HUB_COMPARISON_INTERVAL": "0.2",
        **variables,
    }
    environment = base_environment(DATABASE_URL=fresh_sqlite(directory), **given)
    server = OwnServer(directory, {"SERVICES": "ws", **environment})
    rest: ServiceProcess = daphne(directory, {**environment, "SERVICES": "http"}, name="rest")
    with server, rest:
        yield server, Stack("embedded", directory, environment, http=[rest], ws=[server])


def readiness(server: OwnServer) -> tuple[int, dict[str, Any]]:
    """Return status and body of ``/readyz``."""
    response = web.get(f"{server.admin_url}/readyz", timeout=30)
    return response.status_code, response.json()


class Clients:
    """Connections to one server, closed at the end."""

    def __init__(self, stack: Stack, stop: AsyncExitStack) -> None:
        self.actors = Actors.of(stack)
        self._stack = stack
        self._stop = stop
        stop.callback(self.actors.close)

    def booking_url(self, booking_id: str) -> str:
        return self._stack.booking_url(booking_id)

    async def watch(self, booking_id: str, since: int | None = None) -> Socket:
        """Connect as the admin, who may watch any booking."""
        url = self._stack.booking_url(booking_id)
        return await self._stop.enter_async_context(
            await Socket.connect(url, token=self.actors.admin.token, since=since)
        )

    async def notifications(self, since: int | None = None) -> Socket:
        url, token = self._stack.notifications_url(), self.actors.employer.token
        return await self._stop.enter_async_context(await Socket.connect(url, token=token, since=since))


@asynccontextmanager
async def own_clients(directory: Path, **variables: str) -> AsyncIterator[tuple[OwnServer, Clients]]:
    """Run a server with these variables; yield clients for it."""
    with own_server(directory, **variables) as (server, stack):
        async with AsyncExitStack() as stop:
            yield server, Clients(stack, stop)


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """A server for tests that do not change it."""
    with own_server(tmp_path_factory.mktemp("shared")) as (server, _):
        yield server


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[OwnServer, Stack]]:
    with own_server(tmp_path) as both:
        yield both


@pytest.fixture
def server(running: tuple[OwnServer, Stack]) -> OwnServer:
    return running[0]


@pytest.fixture
async def clients(running: tuple[OwnServer, Stack]) -> AsyncIterator[Clients]:
    async with AsyncExitStack() as stop:
        yield Clients(running[1], stop)
