"""What every measurement needs: Redis, PostgreSQL with people and bookings, and the programs to run.

Redis and PostgreSQL are the real ones, started as the tests start them (``tests/support``), on loopback; commits of
PostgreSQL wait for the disk, as in production.
"""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.load_generator import LoadGenerator
from tests.support import tools
from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer
from tests.support.stack import WITHOUT_PATIENCE, base_environment, fresh_postgres, run_python
from tests.support.surroundings import REPOSITORY

BENCH = REPOSITORY / "bench"
BUILD = REPOSITORY / ".cache" / "bench"
PEOPLE = 16_000
EMPLOYERS = 100
BOOKINGS = 4_000


class MissingToolError(RuntimeError):
    """A program is not there; the message says which, and what is left out without it."""


@dataclass(frozen=True)
class Programs:
    """Compiled and installed before anything is measured."""

    generator: Path
    centrifuge: Path
    tracking: Path
    socketio: Path


def build_programs() -> Programs:
    """Raises :class:`MissingToolError` without Go: the load generator is written in it. Node may be missing."""
    go = shutil.which("go")
    if go is None:
        raise MissingToolError(
            "The benchmark needs Go >= 1.26: its load generator is a Go program, so that it is not the bottleneck, and "
            "so is the centrifuge server. Install it (https://go.dev/dl/, Debian: apt-get install golang)."
        )
    BUILD.mkdir(parents=True, exist_ok=True)
    _run([go, "build", "-trimpath", "-o", f"{BUILD}/", "./..."], BENCH / "go")
    return Programs(
        generator=BUILD / "loadgen", centrifuge=BUILD / "centrifuge", tracking=BUILD / "tracking", socketio=_socketio()
    )


def _socketio() -> Path:
    """A copy of ``socketio/`` with its packages; a missing Node is reported when the server is to be started."""
    source, target = BENCH / "socketio", BUILD / "socketio"
    lock = (source / "package-lock.json").read_bytes()
    installed = target / ".installed-lock.json"
    if shutil.which("npm") and not (installed.exists() and installed.read_bytes() == lock):
        target.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(source / name, target / name)
        tools.npm_install(target)
        installed.write_bytes(lock)
    if target.exists():
        shutil.copyfile(source / "server.js", target / "server.js")
    return target


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise MissingToolError(f"`{' '.join(command)}` failed:\n{done.stdout}{done.stderr}")


@dataclass(frozen=True)
class Seeded:
    """What :mod:`bench.peers.seed` made: tokens of staff and employers, bookings, and each booking's worker."""

    tokens: list[str]
    employer_tokens: list[str]
    bookings: list[str]
    worker_ids: list[str]
    worker_tokens: list[str]

    def sockets(self, count: int, per_booking: int, first: int = 0) -> list[dict[str, str]]:
        """``count`` clients, each another person, ``per_booking`` to a booking; paths are each server's own.

        The bookings are those from number ``first`` on.
        """
        return [
            {"group": self.bookings[first + number // per_booking], "token": self.tokens[number % len(self.tokens)]}
            for number in range(count)
        ]


class World:
    """A context manager; ``directory`` takes the logs."""

    def __init__(self, directory: Path, programs: Programs) -> None:
        self.directory = directory
        self.programs = programs
        self.jwt_secret = secrets.token_hex(32)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        try:
            self.postgres = self._running.enter_context(PostgresServer(durable=True))
            self.redis = self._running.enter_context(RedisServer(self.directory))
            self.database_url = fresh_postgres(self.postgres)
            self.environment = base_environment(
                **WITHOUT_PATIENCE,
                DATABASE_URL=self.database_url,
                REDIS_URL=self.redis.url,
                JWT_KEYS=json.dumps([{"kid": "bench", "alg": "HS256", "secret": self.jwt_secret}]),
                JWT_ACCESS_LIFETIME="86400",
                BENCH_JWT_SECRET=self.jwt_secret,
                LOG_LEVEL="WARNING",
                PYTHONPATH=str(REPOSITORY),
            )
            # A developer's .env must not decide what is measured.
            self.environment["DEBUG"] = "0"
            # Nor the tests' settings, which hash passwords fast: peers and other versions have settings of their own.
            del self.environment["DJANGO_SETTINGS_MODULE"]
            self.seeded = seed(self.environment)
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    @property
    def bookings(self) -> list[str]:
        return self.seeded.bookings

    @property
    def redis_address(self) -> str:
        return f"127.0.0.1:{self.redis.port}"

    def generator(self) -> LoadGenerator:
        return LoadGenerator(self.programs.generator, self.environment)


def seed(environment: Mapping[str, str]) -> Seeded:
    """Fill the migrated database of ``environment``; the version is the first one on its ``PYTHONPATH``."""
    wanted = json.dumps({"people": PEOPLE, "employers": EMPLOYERS, "bookings": BOOKINGS})
    made: dict[str, Any] = json.loads(run_python(environment, "bench/peers/seed.py", stdin=wanted))
    return Seeded(**made)


def machine() -> dict[str, str]:
    """What the figures depend on, for the report."""

    def version(command: Sequence[str]) -> str:
        program = shutil.which(command[0])
        if program is None:
            return "not there"
        done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False, timeout=30)
        found = re.search(r"\d+(\.\d+)+", done.stdout or done.stderr)
        return found[0] if found else "unknown"

    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown",
    )
    return {
        "processor": f"{processor}, {os.cpu_count()} cores",
        "kernel": platform.release().split("-")[0],
        "Python": platform.python_version(),
        "Go": version(["go", "version"]),
        "Node.js": version(["node", "--version"]),
        "Redis": version([str(tools.redis_server()), "--version"]),
        "PostgreSQL": version([str(tools.postgres().postgres), "--version"]),
    }
