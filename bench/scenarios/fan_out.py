"""How many deliveries a processor second buys, at one rate for all and as fast as each can; and how late they are."""

from __future__ import annotations

from typing import Any

from bench.load_generator import LoadGenerator
from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import ALL, OWN, Subject, Target
from bench.systems import EARLIER_VERSION
from bench.world import World

DELIVERIES_PER_SECOND = 2_000
"""The fixed rate: what the slowest still manages. 100 events a second at 20 sockets a booking, 4 at 500."""

SOCKETS = {20: 1_000, 500: 2_000}
LEAST_JOINED = 0.95
"""The share of the sockets without which there is nothing to compare: stock daphne on the core layer refuses some of a
crowd with HTTP 500."""

WINDOW_PER_SOCKET = 5
"""At saturation as many events may be on their way for each socket, so that no buffer overflows anywhere."""


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    figures: Figures = {}
    with subject.start(world) as target, world.generator() as generator:
        for per_booking, count in SOCKETS.items():
            joined = generator.connect(target.protocol, [target.address], target.clients(world, count, per_booking))
            if joined["joined"] < LEAST_JOINED * count:
                raise RuntimeError(f"{subject.name}: only {joined['joined']} of {count} joined: {joined['failures']}")
            rate = DELIVERIES_PER_SECOND / per_booking
            generator.publish(1, rate=rate, **target.publishing(world))  # warm
            for load, seconds, arguments in (
                ("fixed", sizes.fixed, {"rate": rate}),
                ("saturated", sizes.saturated, {"window": WINDOW_PER_SOCKET * count}),
            ):
                made = publish(generator, target, world, seconds, **arguments)
                figures |= {f"{per_booking} {load} {name}": value for name, value in made.items()}
            generator.call("close")
    return figures


def publish(generator: LoadGenerator, target: Target, world: World, seconds: float, **arguments: Any) -> Figures:
    """Publish, and say what each delivery cost the server and how late it was (milliseconds)."""
    before = target.cpu()
    report = generator.publish(seconds, **arguments, **target.publishing(world))
    cpu = target.cpu() - before
    latency = report["latency"]
    figures: Figures = {
        "deliveries per CPU second": report["delivered"] / cpu,
        "CPU per delivery us": cpu / max(1, report["delivered"]) * 1e6,
        "deliveries per second": report["delivered"] / max(report["seconds"], 1e-9),
        "server CPU cores": cpu / max(report["seconds"], 1e-9),
        "generator CPU cores": report["generator_cpu"] / max(report["seconds"], 1e-9),
        "expected": report["expected"],
        "delivered": report["delivered"],
        "lost": report["lost"],
        "duplicates": report["duplicates"],
    }
    if latency["count"]:
        figures |= {f"{name} ms": latency[name] for name in ("p50", "p99", "max")}
    return figures


SCENARIO = Scenario(
    "fan-out",
    "Fan-out: deliveries per CPU second, and latency at a fixed rate",
    (OWN, EARLIER_VERSION, *(subject for subject in ALL if subject is not OWN)),
    measure,
)
