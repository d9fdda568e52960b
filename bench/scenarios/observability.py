"""What it costs to be observed: this server as it ships, scraped and traced, beside itself with all of it off.

Both run at once and are published to by turns, in many short pairs, each at saturation with clients and bookings of its
own. A window of the observed one has its share of everything that happens only now and then: one scrape, and the
export of the spans of its own events, for which both wait before their processor time is read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import httpx

from bench.load_generator import LoadGenerator
from bench.pairs import by_turns
from bench.scenarios.fan_out import SOCKETS, WINDOW_PER_SOCKET
from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import OWN, UNLIMITED, Subject, Target, own_target
from bench.world import World
from tests.support.metrics import OPENMETRICS, Scrape
from tests.support.otlp import HttpCollector
from tests.support.services import OwnServer

TRACED = 0.01
"""Share of the events, as a traced publisher with the chart's settings would have it."""

WINDOW = 2.0
"""Seconds that are published for, with one scrape: Prometheus comes every fifteen or thirty."""

EXPORT_DELAY = 0.5
OBSERVED = {
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "json",
    "OTEL_TRACES_SAMPLER_ARG": str(TRACED),
    "OTEL_BSP_SCHEDULE_DELAY": f"{1000 * EXPORT_DELAY:.0f}",
}
UNOBSERVED = {"LOG_LEVEL": "ERROR", "LOG_FORMAT": "text"}


@dataclass
class Side:
    """One of the two servers, and its clients of one load."""

    server: OwnServer
    target: Target
    observed: bool
    groups: Sequence[str] = ()
    count: int = 0
    lost: float = 0.0

    def join(self, generator: LoadGenerator, world: World, count: int, per_booking: int) -> None:
        first = 0 if self.observed else count // per_booking
        clients = self.target.clients(world, count, per_booking, first)
        joined = generator.connect(self.target.protocol, [self.target.address], clients)
        if joined["joined"] < count:
            raise RuntimeError(f"only {joined['joined']} of {count} joined: {joined['failures']}")
        self.groups = sorted({client["group"] for client in clients})
        self.count = count

    def deliveries_per_cpu_second(self, generator: LoadGenerator, world: World, seconds: float = WINDOW) -> float:
        before = self.target.cpu()
        with scraped(self.server.admin_url, seconds / 2) if self.observed else nothing():
            report = generator.publish(
                seconds, window=WINDOW_PER_SOCKET * self.count, groups=self.groups,
                traced=TRACED if self.observed else 0, **self.target.publishing(world),
            )  # fmt: skip
        time.sleep(1.2 * EXPORT_DELAY)
        self.lost += report["lost"] + report["duplicates"]
        return float(report["delivered"] / (self.target.cpu() - before))


@contextmanager
def nothing() -> Iterator[None]:
    yield


@contextmanager
def scraped(admin_url: str, after: float) -> Iterator[None]:
    """As Prometheus does, once."""

    def scrape() -> None:
        httpx.get(f"{admin_url}/metrics", headers=OPENMETRICS, timeout=20, trust_env=False).raise_for_status()

    timer = threading.Timer(after, scrape)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    figures: Figures = {"lost": 0.0, "spans": 0.0}
    for per_booking, count in SOCKETS.items():
        # New servers for each load: the comparison with the database, which lacks these events, comes after a minute.
        for name, value in _pairs(world, sizes, per_booking, count).items():
            figures[name] = figures.get(name, 0.0) + value
    return figures


def _pairs(world: World, sizes: Sizes, per_booking: int, count: int) -> Figures:
    environment = {**world.environment, **UNLIMITED, "SERVICES": "ws"}
    with (
        HttpCollector() as collector,
        OwnServer(
            world.directory, {**environment, **OBSERVED, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}, name="observed"
        ) as shipped,
        OwnServer(
            world.directory, {**environment, **UNOBSERVED}, name="unobserved", module="bench.peers.unobserved"
        ) as bare,
        world.generator() as generator,
    ):
        on = Side(shipped, own_target(shipped), observed=True)
        off = Side(bare, own_target(bare), observed=False)
        for side in (on, off):
            side.join(generator, world, count, per_booking)
            side.deliveries_per_cpu_second(generator, world, 1.0)  # warm
        figures = by_turns(
            sizes.pairs,
            str(per_booking),
            partial(on.deliveries_per_cpu_second, generator, world),
            partial(off.deliveries_per_cpu_second, generator, world),
        )
        figures |= {"lost": on.lost + off.lost, "spans": len(collector.received.spans)}
        _check(on, off, figures["spans"])
    return figures


def _check(on: Side, off: Side, spans: float) -> None:
    """Raises RuntimeError when the two did not differ in what is compared."""
    counted = [Scrape(f"{side.server.admin_url}/metrics").total("hunarmitra_ws_deliveries_total") for side in (on, off)]
    if not counted[0] or counted[1] or not spans:
        raise RuntimeError(f"counted {counted[0]:g} deliveries on, {counted[1]:g} off, and {spans:g} spans")


SCENARIO = Scenario("observability", "What metrics, traces and logs cost, in pairs", (OWN,), measure)
