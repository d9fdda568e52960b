"""What a booking's life costs: processor time of each part of the system for each operation.

The parts are the http, ws and relay process, PostgreSQL and Redis. What they use while nothing happens is measured
first and subtracted. Locations are sent at a fixed rate, each by the booking's own worker, with two watchers a booking.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from bench.load_generator import LoadGenerator
from bench.peers.seed import PASSWORD
from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import OWN, Subject, own
from bench.systems import EARLIER_VERSION, PARTS, System, earlier_version, go, version
from bench.world import World
from tests.support.surroundings import REPOSITORY

WATCHERS: Final = 2
CONCURRENCY: Final = 4
PER_SECOND: Final = 100
RATES: Final = (1_000, 2_500)
"""Locations a second over connections, besides ``PER_SECOND``."""

WARMING: Final = 20
"""Operations of each kind before the measurement: the first ones import modules and prepare statements."""

LIFE: Final[dict[str, int]] = {
    "create": 1, "assign": 1, "status change": 4, "location": 300, "connect": 20, "mark read": 4, "refresh": 4,
}  # fmt: skip
"""How often each operation happens in a booking's life: three phones, twenty minutes."""

FLEET: Final = 100_000
FLEET_INTERVAL: Final = 4.0
"""Live bookings, and the seconds between two locations of each, for the figure in cores."""


@dataclass
class Meter:
    """Measures operations of one system. ``idle`` is cores that each part uses while nothing happens."""

    system: System
    figures: Figures = field(default_factory=dict)
    idle: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))

    def rest(self, seconds: float) -> None:
        """Measure ``idle``."""
        before = self.system.cpu()
        time.sleep(seconds)
        self.idle = {part: (cpu - before[part]) / seconds for part, cpu in self.system.cpu().items()}

    def measure(self, operation: str, work: Callable[[], int]) -> None:
        """Run ``work``, which returns the number of operations, and keep what one costs, in microseconds."""
        before, began = self.system.cpu(), time.monotonic()
        count = work()
        elapsed = time.monotonic() - began
        if not count:
            raise RuntimeError(f"{operation}: no operation succeeded")
        total = 0.0
        for part, cpu in self.system.cpu().items():
            cost = max(0.0, cpu - before[part] - self.idle[part] * elapsed) / count * 1e6
            self.figures[f"{operation} {part} us"] = cost
            total += cost
        self.figures[f"{operation} sum us"] = total


class Api:
    """Calls the REST API with a few connections at once; an unexpected answer is an error."""

    def __init__(self, system: System) -> None:
        self._base = f"http://{system.http}/api/v1/"
        self._client = httpx.Client(trust_env=False, timeout=30)
        self._threads = ThreadPoolExecutor(CONCURRENCY)

    def close(self) -> None:
        self._threads.shutdown()
        self._client.close()

    def each(self, calls: Sequence[tuple[str, str, str, Any]], expected: int) -> list[Any]:
        """Make calls of (method, path, token, body) and return the bodies of the answers."""

        def call(one: tuple[str, str, str, Any]) -> Any:
            method, path, token, body = one
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answer = self._client.request(method, self._base + path, json=body, headers=headers)
            if answer.status_code != expected:
                raise RuntimeError(f"{method} {path} was answered {answer.status_code}: {answer.text[:200]}")
            return answer.json()

        return list(self._threads.map(call, calls))


def _rest_operations(meter: Meter, api: Api, generator: LoadGenerator, count: int) -> None:
    system, seeded = meter.system, meter.system.seeded
    owners = list(itertools.islice(itertools.cycle(seeded.employer_tokens), count))
    bookings: list[str] = []

    def create() -> int:
        body = {"service": "plumbing", "address": "12 Lodhi Road", "lat": 28.59, "lng": 77.22}
        bookings.extend(made["id"] for made in api.each([("POST", "bookings/", token, body) for token in owners], 201))
        return count

    def assign() -> int:
        calls = [
            ("POST", f"bookings/{booking}/assign/", seeded.tokens[0], {"worker_id": worker})
            for booking, worker in zip(bookings, seeded.worker_ids, strict=False)
        ]
        return len(api.each(calls, 200))

    def change() -> int:
        for status in ("on_the_way", "arrived", "completed"):
            calls = [
                ("PATCH", f"bookings/{booking}/status/", token, {"status": status})
                for booking, token in zip(bookings, seeded.worker_tokens, strict=False)
            ]
            api.each(calls, 200)
        return 3 * count

    meter.measure("create", create)
    meter.measure("assign", assign)
    watchers: list[dict[str, Any]] = [
        {"group": booking, "path": system.path(booking), "token": token}
        for booking, owner in zip(bookings, owners, strict=True)
        for token in (owner, seeded.tokens[0])
    ]
    generator.connect(system.protocol, [system.ws], watchers)
    meter.measure("status change", change)
    generator.call("close")
    resuming = [{**watcher, "since": 1} for watcher in watchers]
    meter.measure("connect", lambda: int(generator.connect(system.protocol, [system.ws], resuming)["joined"]))
    generator.call("close")
    _people_operations(meter, api, count)


def _people_operations(meter: Meter, api: Api, count: int) -> None:
    workers = meter.system.seeded.worker_tokens[:count]
    pages = api.each([("GET", "notifications/", token, None) for token in workers], 200)
    unread = [
        ("PATCH", f"notifications/{page['results'][0]['id']}/mark_read/", token, None)
        for page, token in zip(pages, workers, strict=True)
    ]
    meter.measure("mark read", lambda: len(api.each(unread, 200)))
    names = [f"employer-{number}" for number in range(20)]
    signed_in = api.each([("POST", "auth/token/", "", {"username": name, "password": PASSWORD}) for name in names], 200)
    tokens = [pair["refresh"] for pair in signed_in]

    def refresh() -> int:
        nonlocal tokens
        rounds = max(2, count // len(tokens))
        for _ in range(rounds):
            pairs = api.each([("POST", "auth/refresh/", "", {"refresh": token}) for token in tokens], 200)
            tokens = [pair["refresh"] for pair in pairs]
        return rounds * len(tokens)

    meter.measure("refresh", refresh)


def _watchers(system: System, count: int) -> list[dict[str, Any]]:
    seeded = system.seeded
    return [
        {"group": booking, "path": system.path(booking), "token": seeded.tokens[(WATCHERS * number + watcher)]}
        for number, booking in enumerate(seeded.bookings[:count])
        for watcher in range(WATCHERS)
    ]


def _locations_by_rest(meter: Meter, generator: LoadGenerator, seconds: float) -> None:
    system, seeded = meter.system, meter.system.seeded
    count = 4 * PER_SECOND
    requests = [
        {"url": f"http://{system.http}/api/v1/tracking/{booking}/", "token": token}
        for booking, token in zip(seeded.bookings[:count], seeded.worker_tokens, strict=False)
    ]
    generator.connect(system.protocol, [system.ws], _watchers(system, count))
    report: dict[str, Any] = {}

    def post() -> int:
        nonlocal report
        report = generator.call("http", requests=requests, rate=PER_SECOND, concurrency=CONCURRENCY, seconds=seconds)
        return int(report["codes"].get("200", 0))

    post()  # warms
    meter.measure("location by REST", post)
    _told(meter, "location by REST", report, sum(report["codes"].values()), report["codes"].get("200", 0))
    generator.call("close")


def _locations_by_connection(meter: Meter, generator: LoadGenerator, rates: Sequence[int], seconds: float) -> None:
    system, seeded = meter.system, meter.system.seeded
    for rate, watched in [(PER_SECOND, False), (PER_SECOND, True), *((rate, True) for rate in rates)]:
        name = f"location by connection at {rate:,}/s" + ("" if watched else ", nobody watches")
        count = min(4 * rate, len(seeded.bookings))
        senders: list[dict[str, Any]] = [
            {"group": booking, "path": system.path(booking), "token": token, "sender": True}
            for booking, token in zip(seeded.bookings[:count], seeded.worker_tokens, strict=False)
        ]
        generator.connect(system.protocol, [system.ws], senders)
        if watched:
            generator.connect(system.protocol, [system.ws], _watchers(system, count))
        report: dict[str, Any] = {}

        def send(rate: int = rate) -> int:
            nonlocal report
            report = generator.call("send", rate=rate, seconds=seconds)
            return int(report["answers"].get("accepted", 0))

        send()  # warms
        meter.measure(name, send)
        _told(meter, name, report, report["sent"], report["answers"].get("accepted", 0))
        generator.call("close")


def _told(meter: Meter, name: str, report: dict[str, Any], sent: int, accepted: int) -> None:
    watchers = report["watchers"]
    meter.figures |= {
        f"{name} p50 ms": watchers.get("p50", float("nan")),
        f"{name} p99 ms": watchers.get("p99", float("nan")),
        f"{name} seen": watchers["count"],
        f"{name} accepted": accepted,
        f"{name} refused": sent - accepted,
    }


def add_life(figures: Figures) -> None:
    """Add the sums for a booking's life, and for a fleet's locations, with the cheapest way to send locations."""
    by_connection = f"location by connection at {RATES[0]:,}/s"
    location = by_connection if f"{by_connection} sum us" in figures else "location by REST"
    for part in (*PARTS, "sum"):
        life = sum(
            times * figures[f"{location if operation == 'location' else operation} {part} us"]
            for operation, times in LIFE.items()
        )
        figures[f"life {part} ms"] = life / 1e3
        figures[f"fleet {part} cores"] = figures[f"{location} {part} us"] / 1e6 * FLEET / FLEET_INTERVAL


@contextmanager
def _system(world: World, subject: Subject) -> Iterator[System]:
    if subject is GO:
        with go(world) as system:
            yield system
        return
    with version(world, REPOSITORY if subject is OWN else earlier_version()) as system:
        yield system


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    rates = RATES[:1] if sizes.quick else RATES
    seconds = 2 * sizes.fixed
    with _system(world, subject) as system, world.generator() as generator:
        meter = Meter(system)
        api = Api(system)
        try:
            if subject is not GO:
                _rest_operations(Meter(system), api, generator, WARMING)
            meter.rest(sizes.fixed)
            if subject is not GO:
                _rest_operations(meter, api, generator, 40 if sizes.quick else 200)
        finally:
            api.close()
        _locations_by_rest(meter, generator, seconds)
        if subject is OWN:
            _locations_by_connection(meter, generator, rates, seconds)
        if subject is not GO:
            add_life(meter.figures)
        return meter.figures


GO = Subject("go-tracking", "the location endpoint in Go", own)
SCENARIO = Scenario("booking", "what a booking's life costs, part by part", (OWN, EARLIER_VERSION, GO), measure)
