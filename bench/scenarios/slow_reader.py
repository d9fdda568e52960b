"""One client stops reading while 49 others of its booking are served; later it reads again, and comes back.

Two equal runs without it, one before and one after, say how large the noise is. The server has a core of its own:
what its other clients wait for is asked, not how the kernel divides two cores among it, PostgreSQL and the load
generator.
"""

from __future__ import annotations

import time
from dataclasses import replace

from bench.processes import core_of_its_own
from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import OUTBOX, OWN, Subject, Target, own
from bench.world import World

CLIENTS = 50
EVENTS_PER_SECOND = 800
BUFFER = 1_048_576
"""WS_SEND_BUFFER_BYTES, its default."""

DEAF_SECONDS = 12.0
VARIABLES = {
    "HUB_COMPARISON_INTERVAL": "5",
    # The deaf client is still there when it reads again.
    "WS_CLOSE_TIMEOUT": "30",
}


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    with own(world, **VARIABLES) as started, world.generator() as generator, core_of_its_own(started.pid):
        target = replace(started, helper=OUTBOX)
        clients = target.clients(world, CLIENTS, CLIENTS)
        generator.connect(target.protocol, [target.address], clients, resume=True)
        publishing = {"rate": EVENTS_PER_SECOND, **target.publishing(world)}
        generator.publish(2, **publishing)  # warm
        quiet = generator.publish(DEAF_SECONDS, **publishing)
        before = target.memory()
        generator.call("publish", **publishing)
        generator.call("stall", socket=0, on=True)
        grown = _highest_memory(target, DEAF_SECONDS) - before
        generator.call("stall", socket=0, on=False)
        time.sleep(3)
        report = generator.call("finish", settle=20)
        state = generator.call("state")
        again = generator.publish(DEAF_SECONDS, **publishing)
        return {
            "memory grown KB": grown / 1000,
            "others p99 ms": report["latency"]["p99"],
            "quiet p99 ms": quiet["latency"]["p99"],
            "quiet again p99 ms": again["latency"]["p99"],
            "closed 4008": state["codes"].get("4008", 0),
            "resynchronized": state["resyncs"],
            "lost": report["lost"],
            "duplicates": report["duplicates"],
        }


def _highest_memory(target: Target, seconds: float) -> int:
    until, highest = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        highest = max(highest, target.memory())
        time.sleep(0.1)
    return highest


SCENARIO = Scenario("slow-reader", "One client that stops reading", (OWN,), measure)
