"""Version 0.1, and whole systems that accept locations: this version, the earlier one, and an endpoint written in Go.

Each runs on a database of its own in the same PostgreSQL, and on the same Redis. :meth:`System.cpu` tells what each of
its parts has used.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import cpu_seconds
from bench.subjects import UNLIMITED, Subject, Target
from bench.world import BUILD, MissingToolError, Seeded, World, seed
from tests.support.ports import accepts_connections, free_port
from tests.support.processes import Process
from tests.support.surroundings import REPOSITORY

EARLIER = "3caddd6"
"""The commit of the earlier version: 0.1, before the worker's half."""

MIN_INTERVAL = "1"
"""Seconds between two locations of a booking at least: half of the default, so that fewer connections are needed."""

PARTS = ("http", "ws", "relay", "PostgreSQL", "Redis")


@dataclass(frozen=True)
class System:
    """``http`` and ``ws`` are ``host:port``; ``protocol`` is how the load generator's watchers speak to ``ws``."""

    seeded: Seeded
    http: str
    ws: str
    protocol: str
    processes: dict[str, int]

    def cpu(self) -> dict[str, float]:
        """Seconds of processor time that each part has used since it started."""
        return {part: cpu_seconds(pid) for part, pid in self.processes.items()}

    def path(self, booking: str) -> str:
        return f"/ws/bookings/{booking}/"


def earlier_version() -> Path:
    """The files of the earlier version. Raises :class:`MissingToolError` in a shallow clone."""
    tree = BUILD / f"version-{EARLIER}"
    if not tree.exists():
        packed = subprocess.run(
            ["git", "archive", "--format=tar", EARLIER], cwd=REPOSITORY, capture_output=True, check=False
        )
        if packed.returncode:
            raise MissingToolError(f"Version 0.1 is left out: this clone does not have the commit {EARLIER}.")
        part = tree.with_suffix(".part")
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
            archive.extractall(part, filter="data")
        part.rename(tree)
    return tree


@contextmanager
def _prepared(world: World, tree: Path, **variables: str) -> Iterator[tuple[dict[str, str], Seeded]]:
    """A seeded database for the version in ``tree``, and the environment of its processes."""
    database = world.postgres.create_database()
    environment = {
        **world.environment,
        **UNLIMITED,
        **variables,
        "DATABASE_URL": database,
        "PYTHONPATH": f"{tree}:{tree}/services/http:{tree}/services/ws",
    }
    try:
        _run([sys.executable, str(tree / "manage.py"), "migrate", "--no-input", "-v", "0"], environment, tree)
        yield environment, seed(environment)
    finally:
        world.postgres.drop_database(database)


def _ws(world: World, tree: Path, environment: dict[str, str]) -> tuple[Process, int]:
    """The ws process of the version in ``tree``, and its port."""
    port, admin, control = (free_port() for _ in range(3))
    command = [sys.executable, "-m", "hunarmitra_ws", "-b", "127.0.0.1", "-p", str(port)]
    more = {"SERVICES": "ws", "WS_ADMIN_PORT": str(admin), "WS_CONTROL_PORT": str(control)}
    return _process(world, f"{tree.name}-ws", command, port, tree, environment | more), port


@contextmanager
def version(world: World, tree: Path) -> Iterator[System]:
    """http, ws and relay of the version in ``tree``, one process each."""
    with ExitStack() as running:
        environment, seeded = running.enter_context(
            _prepared(world, tree, HUB_COMPARISON_INTERVAL="5", TRACKING_MIN_INTERVAL=MIN_INTERVAL)
        )
        port = free_port()
        command = [
            sys.executable, "-m", "gunicorn", "--config", "services/http/gunicorn.conf.py",
            "--bind", f"127.0.0.1:{port}", "--access-logfile", "/dev/null", "hunarmitra.wsgi:application",
        ]  # fmt: skip
        more = {"WEB_CONCURRENCY": "1", "SERVICES": "http"}
        http = running.enter_context(_process(world, f"{tree.name}-http", command, port, tree, environment | more))
        process, ws_port = _ws(world, tree, environment)
        ws = running.enter_context(process)
        command = [sys.executable, str(tree / "manage.py"), "relay"]
        relay = running.enter_context(_process(world, f"{tree.name}-relay", command, 0, tree, environment))
        yield System(
            seeded,
            f"127.0.0.1:{port}",
            f"127.0.0.1:{ws_port}",
            "hunarmitra",
            {"http": http.pid, "ws": ws.pid, "relay": relay.pid} | _stores(world),
        )


@contextmanager
def _earlier_ws(world: World) -> Iterator[Target]:
    tree = earlier_version()
    with _prepared(world, tree) as (environment, seeded):
        process, port = _ws(world, tree, environment)
        with process:
            yield Target(
                process,
                f"127.0.0.1:{port}",
                "hunarmitra",
                "hunarmitra-0.1",
                "/ws/bookings/{}/".format,
                seeded=seeded,
            )


EARLIER_VERSION = Subject("version-0.1", f"version 0.1 ({EARLIER})", _earlier_ws)
"""The ws process of the earlier version."""


@contextmanager
def go(world: World) -> Iterator[System]:
    """The Go program for the location endpoint, and the one that delivers."""
    http, ws = free_port(), free_port()
    redis = ["-redis", world.redis_address]
    tracking = [str(world.programs.tracking), "-address", f"127.0.0.1:{http}", "-database", world.database_url,
        "-interval", f"{MIN_INTERVAL}s", *redis]  # fmt: skip
    delivering = [str(world.programs.centrifuge), "-address", f"127.0.0.1:{ws}", *redis]
    with (
        _process(world, "go-tracking", tracking, http, REPOSITORY, world.environment) as posts,
        _process(world, "go-centrifuge", delivering, ws, REPOSITORY, world.environment) as delivers,
    ):
        yield System(
            world.seeded,
            f"127.0.0.1:{http}",
            f"127.0.0.1:{ws}",
            "centrifuge",
            {"http": posts.pid, "ws": delivers.pid} | _stores(world),
        )


def _stores(world: World) -> dict[str, int]:
    return {"PostgreSQL": world.postgres.process.pid, "Redis": world.redis.pid}


def _process(  # noqa: PLR0917 - what a process needs
    world: World, name: str, command: list[str], port: int, folder: Path, environment: dict[str, str]
) -> Process:
    return Process(
        command,
        log_path=world.directory / f"{name}-{port}.log",
        environment=environment,
        cwd=folder,
        ready=lambda: not port or accepts_connections(port),
        ready_timeout=60,
    )


def _run(command: list[str], environment: dict[str, str], folder: Path) -> None:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip().splitlines()[-1]}")
