"""POST tracking against the least authenticated REST framework view: latency at one rate, and requests a CPU second.

At the fixed rate five watchers a booking are connected, and it is measured how long after the POST was sent each saw
the position.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.processes import cpu_seconds
from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import OWN, Subject, own
from bench.world import World
from tests.support.ports import free_port
from tests.support.services import ServiceProcess

POSTS_PER_SECOND = 50
BOOKINGS = 200
"""Each gets a position every four seconds, so that its own limit of one in two seconds is never met."""

WATCHERS = 5
CONCURRENCY = 4
TRACKING = "hunarmitra.wsgi:application"
BARE = "bench.peers.bare_rest:application"


@contextmanager
def rest_server(world: World, application: str, **variables: str) -> Iterator[ServiceProcess]:
    """gunicorn with the project's own configuration, one worker process."""
    port = free_port()
    arguments = [
        "-m", "gunicorn", "--config", "services/http/gunicorn.conf.py", "--bind", f"127.0.0.1:{port}",
        "--access-logfile", "/dev/null", application,
    ]  # fmt: skip
    environment = {**world.environment, "WEB_CONCURRENCY": "1", "SERVICES": "http", **variables}
    with ServiceProcess(
        arguments, port=port, name="rest", directory=world.directory, environment=environment
    ) as process:
        yield process


def _requests(world: World, server: ServiceProcess) -> list[dict[str, str]]:
    return [
        {"url": f"{server.url}/api/v1/tracking/{booking}/", "token": token}
        for booking, token in zip(world.bookings[:BOOKINGS], world.seeded.worker_tokens, strict=False)
    ]


def _tracking(world: World, sizes: Sizes) -> Figures:
    figures: Figures = {}
    with rest_server(world, TRACKING) as rest, own(world) as target, world.generator() as generator:
        generator.connect(target.protocol, [target.address], target.clients(world, BOOKINGS * WATCHERS, WATCHERS))
        for seconds in (2.0, 2 * sizes.fixed):  # the first warms
            report = generator.call(
                "http", requests=_requests(world, rest), rate=POSTS_PER_SECOND, concurrency=CONCURRENCY, seconds=seconds
            )
            time.sleep(2)
            posts = sum(report["codes"].values())
            figures = {
                "POST p50 ms": report["times"]["p50"],
                "POST p99 ms": report["times"]["p99"],
                "watcher p50 ms": report["watchers"].get("p50", float("nan")),
                "watcher p99 ms": report["watchers"].get("p99", float("nan")),
                "positions seen": report["watchers"]["count"],
                "positions expected": posts * WATCHERS,
                "refused": posts - report["codes"].get("200", 0),
            }
    return figures


def _saturated(world: World, application: str, sizes: Sizes) -> Figures:
    with rest_server(world, application, TRACKING_MIN_INTERVAL="0") as rest, world.generator() as generator:
        requests = _requests(world, rest)
        generator.call("http", requests=requests, concurrency=CONCURRENCY, seconds=1.5)
        before = cpu_seconds(rest.pid)
        report = generator.call("http", requests=requests, concurrency=CONCURRENCY, seconds=sizes.fixed)
        cpu = cpu_seconds(rest.pid) - before
        accepted = report["codes"].get("200", 0)
        return {
            "requests per CPU second": accepted / cpu,
            "requests per second": accepted / report["seconds"],
            "saturated refused": sum(report["codes"].values()) - accepted,
        }


def _bare(world: World, sizes: Sizes) -> Figures:
    figures: Figures = {}
    with rest_server(world, BARE) as rest, world.generator() as generator:
        for seconds in (2.0, 2 * sizes.fixed):  # the first warms
            report = generator.call(
                "http", requests=_requests(world, rest), rate=POSTS_PER_SECOND, concurrency=CONCURRENCY, seconds=seconds
            )
            figures = {"POST p50 ms": report["times"]["p50"], "POST p99 ms": report["times"]["p99"]}
    return figures


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    if subject is BARE_REST:
        return {**_bare(world, sizes), **_saturated(world, BARE, sizes)}
    return {**_tracking(world, sizes), **_saturated(world, TRACKING, sizes)}


BARE_REST = Subject("bare-rest", "bare REST framework view with simplejwt", own)
SCENARIO = Scenario("rest", "POST tracking, and what a bare REST framework view costs", (OWN, BARE_REST), measure)
