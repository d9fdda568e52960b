"""The whole system as the tests see it, in its two shapes.

`embedded`: one process, SQLite, no Redis; with the server `hunarmitra_ws`, what `make run` starts.
`distributed`: http and ws processes, the relay, PostgreSQL and Redis: what a cluster runs.
A test that takes the `stack` fixture runs on both.
"""

from __future__ import annotations

import atexit
import functools
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.support import services
from tests.support.postgres import PostgresServer
from tests.support.processes import REPOSITORY, Process, clean_environment
from tests.support.redis import RedisServer
from tests.support.services import ServiceProcess

Kind = Literal["embedded", "distributed"]

WITHOUT_SAMPLES = {"ACK_SAMPLE_RATE": "0"}
"""Else one in a hundred frames would have a key more than a test compares with."""

# Many tests share one address and one stack; those that test a limit start a stack with the limit they test.
WITHOUT_LIMITS = {
    "THROTTLE_USER_PER_HOUR": "1000000",
    "THROTTLE_AUTH_PER_MINUTE": "100000",
    "THROTTLE_LOGIN_PER_MINUTE": "100000",
    "WS_FAILED_HANDSHAKES_PER_MINUTE": "1000000",
    "JWT_ACCESS_LIFETIME": "7200",
}


def with_slow_shapes(shapes: Sequence[str]) -> list[Any]:
    """Return parameters for a fixture: `make test` runs the distributed shape, `make test-all` the others too."""
    return [shape if shape == "distributed" else pytest.param(shape, marks=pytest.mark.slow) for shape in shapes]


@dataclass
class Stack:
    """What is running, and how to reach it. `environment` is what every process was given."""

    kind: Kind
    directory: Path
    environment: dict[str, str]
    http: list[ServiceProcess] = field(default_factory=list)
    ws: list[ServiceProcess] = field(default_factory=list)
    redis: RedisServer | None = None
    relay: Process | None = None

    @property
    def base_url(self) -> str:
        return self.http[0].url

    @property
    def base_urls(self) -> list[str]:
        return [process.url for process in self.http]

    @property
    def ws_urls(self) -> list[str]:
        """One for each ws process: `ws://127.0.0.1:port`."""
        return [process.ws_url for process in self.ws]

    def booking_url(self, booking_id: str, pod: int = 0) -> str:
        return f"{self.ws_urls[pod % len(self.ws)]}/ws/bookings/{booking_id}/"

    def notifications_url(self, pod: int = 0) -> str:
        return f"{self.ws_urls[pod % len(self.ws)]}/ws/notifications/"

    @property
    def processes(self) -> list[Process]:
        unique: dict[int, Process] = {id(process): process for process in [*self.http, *self.ws]}
        return [*unique.values(), *([self.relay] if self.relay else [])]

    def log_text(self) -> str:
        """What every process has logged so far."""
        return "\n".join(process.log_text() for process in self.processes)

    def python(self, *arguments: str, stdin: str = "") -> str:
        """Run Python in the stack's environment; its standard output. Raises AssertionError when it fails."""
        return run_python(self.environment, *arguments, stdin=stdin)

    def manage(self, *arguments: str) -> str:
        return self.python("manage.py", *arguments)


def run_python(environment: Mapping[str, str], *arguments: str, stdin: str = "", timeout: float = 120) -> str:
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=clean_environment(environment),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert result.returncode == 0, (
        f"{' '.join(arguments)} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}"
    )
    return result.stdout


def base_environment(**variables: str) -> dict[str, str]:
    """Production-like (DEBUG off), without the limits that a shared test system would trip over."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "PYTHONUNBUFFERED": "1",
        **WITHOUT_SAMPLES,
        **WITHOUT_LIMITS,
        **variables,
    }


def fresh_sqlite(directory: Path) -> str:
    """The URL of a migrated SQLite database in `directory`."""
    path = directory / f"{secrets.token_hex(4)}.sqlite3"
    shutil.copyfile(_migrated_sqlite(), path)
    return f"sqlite:///{path}"


def fresh_postgres(server: PostgresServer) -> str:
    """The URL of a migrated PostgreSQL database."""
    return server.create_database(server.template_database("migrated", _migrate))


@contextmanager
def embedded_stack(
    directory: Path,
    *,
    server: Literal["daphne", "uvicorn", "hunarmitra_ws"] = "daphne",
    options: tuple[str, ...] = (),
    **variables: str,
) -> Iterator[Stack]:
    """One process on SQLite. `variables` are environment variables, e.g. `TRACKING_MIN_INTERVAL="0"`."""
    environment = base_environment(DATABASE_URL=fresh_sqlite(directory), **variables)
    start = {"daphne": services.daphne, "uvicorn": services.uvicorn, "hunarmitra_ws": services.OwnServer}[server]
    with start(directory, environment, *options) as process:
        yield Stack("embedded", directory, environment, http=[process], ws=[process])


@contextmanager
def distributed_stack(
    directory: Path,
    postgres: PostgresServer,
    *,
    http: int = 1,
    ws: int = 2,
    redis_url: str | None = None,
    with_relay: bool = True,
    ws_options: tuple[str, ...] = (),
    ws_with: Literal["daphne", "uvicorn"] = "daphne",
    **variables: str,
) -> Iterator[Stack]:
    """http and ws processes on PostgreSQL and a Redis of their own (or `redis_url`, e.g. a Sentinel's).

    `ws_with` serves WebSockets; `ws_options` are its: `("--ping-interval", "1")`.
    """
    with ExitStack() as running:
        redis = None if redis_url else running.enter_context(RedisServer(directory))
        database_url = fresh_postgres(postgres)
        running.callback(postgres.drop_database, database_url)
        environment = base_environment(
            DATABASE_URL=database_url, REDIS_URL=redis_url or (redis.url if redis else ""), **variables
        )
        stack = Stack("distributed", directory, environment, redis=redis)
        for number in range(http):
            stack.http.append(services.gunicorn(directory, environment, name=f"http{number}"))
        for number in range(ws):
            stack.ws.append(services.ws_server(directory, environment, *ws_options, name=f"ws{number}", by=ws_with))
        if with_relay:
            stack.relay = services.relay(directory, environment)
        for process in stack.processes:  # all at once, for each takes seconds to import
            running.callback(process.stop)
            process.launch()
        for process in stack.processes:
            process.wait_ready()
        yield stack


def _migrate(database_url: str) -> None:
    run_python(base_environment(DATABASE_URL=database_url), "manage.py", "migrate", "--no-input", "-v", "0")


@functools.cache
def _migrated_sqlite() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="hm-sqlite-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "template.sqlite3"
    _migrate(f"sqlite:///{path}")
    return path
