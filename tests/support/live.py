"""The stacks of the WebSocket suites: both shapes, and uvicorn where the server makes a difference.

Their settings make tests fast and exact. Locations may follow each other at once. The comparison with the database is
so rare that only a publish can have brought an event. No server disconnects a client that answers a ping late: a test
that waits for REST answers none meanwhile.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.support.api import Api
from tests.support.postgres import PostgresServer
from tests.support.shapes import SHAPES, with_slow_shapes
from tests.support.shell import Shell
from tests.support.sockets import PATIENCE, Frame, Presentation, Socket
from tests.support.stack import Stack, distributed_stack, embedded_stack

ALLOWED_ORIGIN = "https://app.example.org"
APP_ORIGIN = "capacitor://localhost"
PAGE = 40
SETTINGS = {
    "TRACKING_MIN_INTERVAL": "0",
    "HUB_COMPARISON_INTERVAL": "60",
    "ALLOWED_ORIGINS": f"{ALLOWED_ORIGIN},{APP_ORIGIN}",
    "WS_REPLAY_PAGE_EVENTS": str(PAGE),
}
Pings = tuple[int, int]
PATIENT_PINGS: Pings = (20, 3600)
"""Seconds between two pings of a server, and until it disconnects a client that does not answer."""

SERVERS = (*SHAPES, "uvicorn")
on_every_server = pytest.mark.parametrize("live", with_slow_shapes(SERVERS), indirect=True, scope="session")
"""The servers for tests of behaviour that depends on the server: handshakes, closes, frame sizes, timers."""


@contextmanager
def live_stacks(
    directory: Path, postgres: PostgresServer, *, pings: Pings = PATIENT_PINGS, **variables: str
) -> Iterator[Callable[[str], Stack]]:
    """Yield a function that returns the stack of a name in `SERVERS`, and starts it at the first call."""
    settings: dict[str, Any] = {**SETTINGS, **variables}
    interval, timeout = map(str, pings)
    of_daphne = ("--ping-interval", interval, "--ping-timeout", timeout)
    of_uvicorn = ("--ws-ping-interval", interval, "--ws-ping-timeout", timeout)
    running: dict[str, Stack] = {}
    with ExitStack() as started:

        def stack_of(name: str) -> Stack:
            if name not in running:
                folder = directory / name
                folder.mkdir(parents=True)
                if name == "distributed":
                    stack = distributed_stack(folder, postgres, ws_options=of_daphne, **settings)
                elif name == "uvicorn":
                    stack = embedded_stack(folder, server="uvicorn", options=of_uvicorn, **settings)
                else:
                    stack = embedded_stack(folder, options=of_daphne, **settings)
                running[name] = started.enter_context(stack)
            return running[name]

        yield stack_of


class Person(Api):
    """A user of one test, signed in without a password."""

    def __init__(self, stack: Stack, shell: Shell, role: str = "employer", name: str = "") -> None:
        super().__init__(stack.base_url)
        self._shell = shell
        self.name = name or f"{role.title()} {secrets.token_hex(3)}"
        self.id: str = shell.call(create_user, username=f"{role}-{secrets.token_hex(5)}", name=self.name, role=role)
        self.token, self.refresh_token = self.new_session()

    def new_session(self) -> tuple[str, str]:
        """Start another session; return its access token and refresh token."""
        access, refresh = self._shell.call(start_session, user_id=self.id)
        return access, refresh


def create_user(username: str, name: str, role: str) -> str:
    from hunarmitra.accounts.services import user_create

    return str(user_create(username=username, password=None, name=name, role=role).pk)


def start_session(user_id: str) -> list[str]:
    from hunarmitra.accounts.models import User
    from hunarmitra.accounts.services import session_start

    pair = session_start(user=User.objects.get(pk=user_id))
    return [pair.access, pair.refresh]


class Newcomer(Protocol):
    """Creates a new user; its connections are closed at the end of the test."""

    def __call__(self, role: str = "employer", name: str = "") -> Person: ...


async def join(
    url: str,
    token: str,
    *,
    since: int | str | None = None,
    how: Presentation = "query",
    timeout: float = PATIENCE,
    shared: bool = False,
) -> Socket:
    """Open a connection and read its first frame, `frames[0]`; with `shared`, as a subscription of `/ws/`."""
    socket = await Socket.connect(url, token=token, since=since, how=how, shared=shared)
    await socket.joined(timeout)
    return socket


async def rejection(
    url: str, token: str | None = None, *, how: Presentation = "query", since: int | str | None = None
) -> tuple[str, int]:
    """Connect and be rejected after the accept; return the code of the only error frame, and the close code."""
    async with await Socket.connect(url, token=token, how=how, since=since) as socket:
        code, _ = await socket.closed()
        assert [frame["type"] for frame in socket.frames] == ["error"], socket.frames
        return check_error(socket.frames[0]), code


def check_error(frame: Frame) -> str:
    """Check the keys of an error frame; return its code."""
    assert frame.keys() == {"type", "code", "message"}, frame
    assert frame["type"] == "error"
    assert frame["message"]
    return str(frame["code"])
