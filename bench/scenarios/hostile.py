"""A thousand hostile clients of each kind beside a thousand honest ones: what the honest ones notice.

The limits of the server are at their defaults, with the chart's send buffer. Each kind has its own quiet run just
before, and the must-hold ratio is that of the two: the machine's other work changes within minutes. Honest newcomers
connect during each attack. The server has a core of its own, as in the scenario ``slow-reader``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from bench.load_generator import LoadGenerator
from bench.processes import core_of_its_own, resident_bytes
from bench.scenarios.rest import CONCURRENCY, TRACKING, rest_server
from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import OUTBOX, OWN, Subject, Target, own
from bench.world import World
from tests.support.raw_sockets import TEXT, RawSocket
from tests.support.surroundings import REPOSITORY, clean_environment

WS_KINDS = (
    "half-handshake", "slow-handshake", "bad-token", "unread-pongs", "empty-continuations", "ignored-close",
    "never-reads", "reset",
)  # fmt: skip
HTTP_KINDS = ("slow-header", "slow-body", "large-body")

HONEST = 1_000
PER_BOOKING = 20
EVENTS_PER_SECOND = 50
NEWCOMERS = 20
JOIN_SECONDS = 10
REQUESTS_PER_SECOND = 50

SEND_BUFFER = 262_144
"""The chart's; the documented memory of a connection is this and :data:`CONNECTION`."""
CONNECTION = 40_960

DEFAULTS = {
    "WS_SEND_BUFFER_BYTES": str(SEND_BUFFER),
    "WS_MAX_CONNECTIONS": "10000",
    "WS_CONNECTS_PER_SECOND": "500",
    "WS_CONNECT_BURST": "2000",
    "WS_FAILED_HANDSHAKES_PER_MINUTE": "60",
    "WS_FLOOD_WAIT": "10",
    "HUB_COMPARISON_INTERVAL": "5",
}


@contextmanager
def attackers(world: World, kind: str, address: str, paths: list[str], count: int) -> Iterator[None]:
    """Run ``count`` hostile clients; they have all connected once when the block begins."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.peers.hostile"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env=clean_environment(world.environment),
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"kind": kind, "address": address, "paths": paths, "count": count}) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n", f"the hostile clients of kind {kind} ended"
        yield
    finally:
        process.kill()
        process.communicate()


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    return {**_ws(world, sizes), **_http(world, sizes)}


def _ws(world: World, sizes: Sizes) -> Figures:
    figures: Figures = {}
    count = _count(sizes)
    with own(world, **DEFAULTS) as started, world.generator() as generator:
        target = replace(started, helper=OUTBOX)
        generator.connect(target.protocol, [target.address], target.clients(world, HONEST, PER_BOOKING))
        hostile = target.clients(world, HONEST + count, PER_BOOKING)[HONEST:]
        watched = target.clients(world, HONEST, PER_BOOKING)
        paths = [f"{honest['path']}?token={client['token']}" for honest, client in zip(watched, hostile, strict=False)]
        newcomers = target.clients(world, HONEST + count + NEWCOMERS, PER_BOOKING)[-NEWCOMERS:]
        generator.publish(1, rate=EVENTS_PER_SECOND, **target.publishing(world))  # warm
        for kind in WS_KINDS:
            with core_of_its_own(target.pid):
                quiet = _publish(generator, target, world, sizes)
            before = target.memory()
            with attackers(world, kind, target.address, paths, count), core_of_its_own(target.pid):
                beside = _publish(generator, target, world, sizes)
                refused = sum(not _joins(target, newcomer) for newcomer in newcomers)
                grown = target.memory() - before
            figures |= kind_figures(kind, quiet["latency"], beside["latency"])
            figures |= {
                f"{kind} refused": refused + sum(generator.call("state")["codes"].values()),
                f"{kind} lost": beside["lost"],
                f"{kind} memory grown MB": grown / 1e6,
            }
            time.sleep(2)
        figures["documented MB"] = count * (CONNECTION + SEND_BUFFER) / 1e6
        figures["running"] = float(target.process.alive)
    return figures


def _publish(generator: LoadGenerator, target: Target, world: World, sizes: Sizes) -> dict[str, Any]:
    return generator.publish(sizes.fixed, rate=EVENTS_PER_SECOND, **target.publishing(world))


def _joins(target: Target, client: dict[str, str]) -> bool:
    """Whether an honest client with a valid token gets its first frame in time."""
    with RawSocket(int(target.address.rpartition(":")[2])) as connection:
        connection.socket.settimeout(JOIN_SECONDS)
        try:
            connection.upgrade(f"{client['path']}?token={client['token']}")
            opcode, payload = next(connection.frames())
        except (AssertionError, StopIteration, OSError):
            return False
        return opcode == TEXT and b"connection_established" in payload


def _http(world: World, sizes: Sizes) -> Figures:
    figures: Figures = {}
    count = _count(sizes)
    with rest_server(world, TRACKING) as rest, world.generator() as generator:
        requests = [
            {"url": f"{rest.url}/api/v1/tracking/{booking}/", "token": token}
            for booking, token in zip(world.bookings[:200], world.seeded.worker_tokens, strict=False)
        ]

        def post(seconds: float) -> dict[str, Any]:
            return generator.call(
                "http", requests=requests, rate=REQUESTS_PER_SECOND, concurrency=CONCURRENCY, seconds=seconds
            )

        post(2)  # warm
        path = f"/api/v1/tracking/{world.bookings[0]}/"
        for kind in HTTP_KINDS:
            quiet = post(sizes.fixed)
            before = resident_bytes(rest.pid)
            with attackers(world, kind, f"127.0.0.1:{rest.port}", [path], count):
                beside = post(sizes.fixed)
                grown = resident_bytes(rest.pid) - before
            figures |= kind_figures(kind, quiet["times"], beside["times"])
            refused = sum(beside["codes"].values()) - beside["codes"].get("200", 0)
            figures |= {f"{kind} refused": refused, f"{kind} memory grown MB": grown / 1e6}
            time.sleep(2)
    return figures


def kind_figures(kind: str, quiet: dict[str, float], beside: dict[str, float]) -> Figures:
    """NaN where nothing arrived: then the events count as lost, and the clients as refused or closed."""
    return {
        f"{kind} {name} ms{suffix}": times.get(name, float("nan"))
        for suffix, times in ((" quiet", quiet), ("", beside))
        for name in ("p50", "p99")
    }


def _count(sizes: Sizes) -> int:
    return 300 if sizes.quick else 1_000


SCENARIO = Scenario("hostile", "Hostile clients of eleven kinds beside honest ones", (OWN,), measure)
