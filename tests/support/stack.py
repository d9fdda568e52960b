"""The whole system for the tests, in its two shapes.

`embedded`: one process with SQLite and without Redis. With the server `hunarmitra_ws` it is what `make run` starts.
`distributed`: http and ws processes, the relay, PostgreSQL and Redis, as on a cluster.
A test that uses the `stack` fixture runs on both.
"""

from __future__ import annotations

import atexit
import functools
import json
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from hunarmitra.config.environment import Environment
from tests.support import forks, remote, services
from tests.support.eventually import HANG
from tests.support.postgres import PostgresServer
from tests.support.processes import Process
from tests.support.redis import RedisServer
from tests.support.services import ServiceProcess

Kind = Literal["embedded", "distributed"]

SETTINGS: Final = "tests.support.settings_servers"

WITHOUT_SAMPLES = {"ACK_SAMPLE_RATE": "0"}
"""Without it, one frame in a hundred would have an additional key, which tests do not expect."""

WITH_PATIENCE = {"REDIS_PUBLISH_TIMEOUT": "5", "HUB_HEARTBEAT_TIMEOUT": "60", "RELAY_INTERVAL": "5"}
"""By default a request waits 0.25 s for Redis, and a process 3 s for its own heartbeat. A busy machine exceeds both:
then a location is not published, a limit is counted by each process, or a subscription is made again. And dozens of
relays that look at empty outboxes twice a second take the time of the tests. Tests of an outage, and the benchmarks,
have the defaults: `WITHOUT_PATIENCE`."""

WITHOUT_PATIENCE = {name: str(getattr(Environment, name.lower())) for name in WITH_PATIENCE}

# Many tests share one address and one stack. A test of a limit starts a stack with that limit.
WITHOUT_LIMITS = {
    "THROTTLE_USER_PER_HOUR": "1000000",
    "THROTTLE_WRITES_PER_MINUTE": "1000000",
    "THROTTLE_FAILURES_PER_MINUTE": "1000000",
    "BOOKINGS_OPEN_MAX": "0",
    "THROTTLE_AUTH_PER_MINUTE": "100000",
    "THROTTLE_LOGIN_PER_MINUTE": "100000",
    "THROTTLE_LOGIN_NAME_PER_HOUR": "1000000",
    "WS_FAILED_HANDSHAKES_PER_MINUTE": "1000000",
    "WS_FLOOD_WAIT": "0",
    "WS_REPLAYED_EVENTS_PER_MINUTE": "1000000000",
    "JWT_ACCESS_LIFETIME": "7200",
}


@dataclass
class Stack:
    """A running system and its addresses. `environment` is that of every process."""

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
        """One address for each ws process: `ws://127.0.0.1:port`."""
        return [process.ws_url for process in self.ws]

    def booking_url(self, booking_id: str, pod: int = 0) -> str:
        return f"{self.ws_urls[pod % len(self.ws)]}/ws/bookings/{booking_id}/"

    def notifications_url(self, pod: int = 0) -> str:
        return f"{self.ws_urls[pod % len(self.ws)]}/ws/notifications/"

    def shared_url(self, pod: int = 0) -> str:
        return f"{self.ws_urls[pod % len(self.ws)]}/ws/"

    @property
    def processes(self) -> list[Process]:
        unique: dict[int, Process] = {id(process): process for process in [*self.http, *self.ws]}
        return [*unique.values(), *([self.relay] if self.relay else [])]

    def log_text(self) -> str:
        """Return the logs of all processes so far."""
        return "\n".join(process.log_text() for process in self.processes)

    def python(self, *arguments: str, stdin: str = "") -> str:
        """Run Python in the stack's environment; return its standard output. Raises AssertionError if it fails."""
        return run_python(self.environment, *arguments, stdin=stdin)

    def manage(self, *arguments: str) -> str:
        return self.python("manage.py", *arguments)


def call_in(environment: Mapping[str, str], function: Callable[..., Any], **arguments: Any) -> Any:
    """Call a function of the tests in a new process (see `tests.support.remote`) and return its result.

    The last line that the process prints is the result. Raises AssertionError if the function fails.
    """
    printed = run_python(environment, "-c", remote.program_of(function), stdin=json.dumps(arguments, default=str))
    return json.loads(printed.splitlines()[-1])


def run_python(environment: Mapping[str, str], *arguments: str, stdin: str = "", timeout: float = HANG) -> str:
    result = forks.run(arguments, environment, stdin=stdin, timeout=timeout)
    assert result.returncode == 0, (
        f"{' '.join(arguments)} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}"
    )
    return result.stdout


def base_environment(**variables: str) -> dict[str, str]:
    """Return an environment as in production (DEBUG off), without the limits that a shared system would reach.

    Passwords are hashed fast. gunicorn has one process, which starts faster than two: a test of several asks for them.
    """
    return {
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "PYTHONUNBUFFERED": "1",
        "WEB_CONCURRENCY": "1",
        **WITHOUT_SAMPLES,
        **WITHOUT_LIMITS,
        **WITH_PATIENCE,
        **variables,
    }


def fresh_sqlite(directory: Path) -> str:
    """Create a migrated SQLite database in `directory`; return its URL."""
    path = directory / f"{secrets.token_hex(4)}.sqlite3"
    shutil.copyfile(_migrated_sqlite(), path)
    return f"sqlite:///{path}"


def fresh_postgres(server: PostgresServer) -> str:
    """Create a migrated PostgreSQL database; return its URL."""
    return server.create_database(server.template_database("migrated", _migrate))


@contextmanager
def embedded_stack(
    directory: Path,
    *,
    server: Literal["daphne", "uvicorn", "hunarmitra_ws"] = "daphne",
    options: tuple[str, ...] = (),
    **variables: str,
) -> Iterator[Stack]:
    """Run one process on SQLite. `variables` are environment variables, e.g. `TRACKING_MIN_INTERVAL="0"`."""
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
    ws_redis_url: str | None = None,
    ws_variables: Mapping[str, str] | None = None,
    with_relay: bool = True,
    ws_options: tuple[str, ...] = (),
    ws_with: Literal["daphne", "uvicorn"] = "daphne",
    database_url: str | None = None,
    **variables: str,
) -> Iterator[Stack]:
    """Run http and ws processes on PostgreSQL and a new Redis (or `redis_url`, e.g. that of a Sentinel).

    `ws_redis_url` is that of the ws processes, if their user at Redis is another; `ws_variables` are more of their
    variables. `ws_with` is the WebSocket server, `ws_options` are its options: `("--ping-interval", "1")`.
    `database_url` is a migrated database of the caller.
    """
    with ExitStack() as running:
        redis = None if redis_url else running.enter_context(RedisServer(directory))
        if database_url is None:
            database_url = fresh_postgres(postgres)
            running.callback(postgres.drop_database, database_url)
        environment = base_environment(
            DATABASE_URL=database_url, REDIS_URL=redis_url or (redis.url if redis else ""), **variables
        )
        stack = Stack("distributed", directory, environment, redis=redis)
        for number in range(http):
            stack.http.append(services.gunicorn(directory, environment, name=f"http{number}"))
        ws_environment = environment | ({"REDIS_URL": ws_redis_url} if ws_redis_url else {}) | dict(ws_variables or {})
        for number in range(ws):
            stack.ws.append(services.ws_server(directory, ws_environment, *ws_options, name=f"ws{number}", by=ws_with))
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
