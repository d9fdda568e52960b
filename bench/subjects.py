"""The servers that are compared: how each is started, reached and published to."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.processes import cpu_seconds, resident_bytes
from bench.world import MissingToolError, Seeded, World
from tests.support.ports import accepts_connections, free_port
from tests.support.processes import Process
from tests.support.services import OwnServer

UNLIMITED = {
    "WS_CONNECTS_PER_SECOND": "100000",
    "WS_CONNECT_BURST": "100000",
    "WS_MAX_CONNECTIONS": "16000",
    "WS_SOCKETS_PER_USER": "1000",
    "WS_CONTROL_HOST": "127.0.0.1",
    # What is published straight to Redis is not in the database, which a comparison would notice: no server that is
    # published to in this way lives for a minute. The others are published to as the domain does, at the default.
    "HUB_COMPARISON_INTERVAL": "60",
}
"""The limits that only a benchmark meets; everything else is at its default."""

OUTBOX = [sys.executable, "-m", "bench.peers.outbox_publisher"]
CORE = [sys.executable, "-m", "bench.peers.core_publisher"]


@dataclass(frozen=True)
class Target:
    """A running server.

    ``helper`` publishes for it when a plain PUBLISH does not do. ``seeded`` is what is in its database, if that is not
    the world's.
    """

    process: Process
    address: str
    protocol: str
    encoding: str
    path: Callable[[str], str]
    helper: list[str] = field(default_factory=list)
    seeded: Seeded | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu(self) -> float:
        return cpu_seconds(self.pid)

    def memory(self) -> int:
        return resident_bytes(self.pid)

    def clients(self, world: World, count: int, per_booking: int, first: int = 0) -> list[dict[str, str]]:
        sockets = (self.seeded or world.seeded).sockets(count, per_booking, first)
        return [{**socket, "path": self.path(socket["group"])} for socket in sockets]

    def publishing(self, world: World) -> dict[str, Any]:
        """How the load generator publishes to it."""
        return {"helper": self.helper} if self.helper else {"redis": world.redis_address, "encoding": self.encoding}


@dataclass(frozen=True)
class Subject:
    """``start`` raises MissingToolError when it cannot run here."""

    name: str
    title: str
    start: Callable[[World], AbstractContextManager[Target]]


def _process(world: World, name: str, command: list[str], port: int, **environment: str) -> Process:
    return Process(
        command,
        log_path=world.directory / f"{name}-{port}.log",
        environment={**world.environment, **environment},
        ready=lambda: accepts_connections(port),
        ready_timeout=60,
    )


@contextmanager
def own(world: World, **variables: str) -> Iterator[Target]:
    """``python -m hunarmitra_ws``; ``variables`` override :data:`UNLIMITED` and the defaults."""
    environment = {**world.environment, **UNLIMITED, "SERVICES": "ws", **variables}
    with OwnServer(world.directory, environment) as server:
        yield own_target(server)


def own_target(server: OwnServer, helper: list[str] | None = None) -> Target:
    return Target(
        server, f"127.0.0.1:{server.port}", "hunarmitra", "hunarmitra", "/ws/bookings/{}/".format, helper or []
    )


@contextmanager
def _consumer(world: World, server: str, layer: str) -> Iterator[Target]:
    port = free_port()
    application = "bench.peers.consumers:application"
    command = {
        "daphne": [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), application],
        "uvicorn": [sys.executable, "-m", "uvicorn", application, "--host", "127.0.0.1", "--port", str(port)],
    }[server]
    if server == "uvicorn":
        command += ["--log-level", "warning"]
    process = _process(world, f"{server}-{layer}", command, port, BENCH_LAYER=layer, SERVICES="ws")
    with process:
        yield Target(process, f"127.0.0.1:{port}", "plain", "plain", "/ws/{}/".format, CORE if layer == "core" else [])


@contextmanager
def daphne_core(world: World) -> Iterator[Target]:
    with _consumer(world, "daphne", "core") as target:
        yield target


@contextmanager
def daphne_pubsub(world: World) -> Iterator[Target]:
    with _consumer(world, "daphne", "pubsub") as target:
        yield target


@contextmanager
def uvicorn_pubsub(world: World) -> Iterator[Target]:
    with _consumer(world, "uvicorn", "pubsub") as target:
        yield target


@contextmanager
def daphne_authorizing(world: World) -> Iterator[Target]:
    """As :func:`daphne_pubsub`, but its clients join by our own authorization function."""
    with _consumer(world, "daphne", "pubsub") as target:
        yield Target(target.process, target.address, "plain", "plain", "/ws/bookings/{}/".format)


@contextmanager
def socketio(world: World) -> Iterator[Target]:
    node = shutil.which("node")
    if node is None or not (world.programs.socketio / "node_modules").is_dir():
        raise MissingToolError("Socket.IO is left out: Node.js >= 18 with npm is not there.")
    port = free_port()
    command = [node, str(world.programs.socketio / "server.js"), str(port), world.redis.url]
    with _process(world, "socketio", command, port) as process:
        yield Target(process, f"127.0.0.1:{port}", "socketio", "socketio", "{}".format)


@contextmanager
def centrifuge(world: World) -> Iterator[Target]:
    port = free_port()
    command = [
        str(world.programs.centrifuge), "-address", f"127.0.0.1:{port}", "-redis", world.redis_address,
    ]  # fmt: skip
    with _process(world, "centrifuge", command, port) as process:
        yield Target(process, f"127.0.0.1:{port}", "centrifuge", "centrifuge", "{}".format)


OWN = Subject("hunarmitra", "this server", own)
DAPHNE_CORE = Subject("daphne-core", "daphne, channels_redis core layer", daphne_core)
DAPHNE_PUBSUB = Subject("daphne-pubsub", "daphne, channels_redis pub/sub layer", daphne_pubsub)
DAPHNE_AUTHORIZING = Subject("daphne-authorizing", "daphne, our authorization", daphne_authorizing)
UVICORN = Subject("uvicorn-pubsub", "uvicorn, channels_redis pub/sub layer", uvicorn_pubsub)
SOCKETIO = Subject("socketio", "Socket.IO 4, Redis adapter", socketio)
CENTRIFUGE = Subject("centrifuge", "centrifuge (Go), Redis broker", centrifuge)

ALL = (OWN, CENTRIFUGE, SOCKETIO, UVICORN, DAPHNE_PUBSUB, DAPHNE_CORE)
TITLES = {subject.name: subject.title for subject in (*ALL, DAPHNE_AUTHORIZING)}
