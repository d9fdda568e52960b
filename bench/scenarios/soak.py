"""Hours of an ordinary day in minutes: many sockets, steady events, and clients that come and go all the time.

Asked for with ``--soak SECONDS``, because nothing short can say whether memory grows.
"""

from __future__ import annotations

import time
from dataclasses import replace

from bench.scenarios.many import DEFAULT_COMPARISON, EVENTS_PER_SECOND, PER_BOOKING
from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import OUTBOX, OWN, Subject, own
from bench.world import World

CHURN_PER_SECOND = 50
WARM_UP = 0.2
"""The part of the time after which memory should have stopped growing."""


def scenario(seconds: float) -> Scenario:
    """``seconds``: how long events are published and clients replaced."""

    def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
        with own(world, **DEFAULT_COMPARISON) as started, world.generator() as generator:
            target = replace(started, helper=OUTBOX)
            clients = target.clients(world, sizes.many_sockets, PER_BOOKING)
            joined = generator.connect(target.protocol, [target.address], clients, in_flight=100)
            generator.call("publish", rate=EVENTS_PER_SECOND, **target.publishing(world))
            generator.call("churn", per_second=CHURN_PER_SECOND)
            time.sleep(WARM_UP * seconds)
            warm, highest = target.memory(), 0
            until = time.monotonic() + (1 - WARM_UP) * seconds
            while (left := until - time.monotonic()) > 0:
                time.sleep(min(1.0, left))
                highest = max(highest, target.memory())
            generator.call("churn", per_second=0)
            report = generator.call("finish", settle=30)
            return {
                "sockets": joined["joined"],
                "seconds": seconds,
                "events": report["events"],
                "expected": report["expected"],
                "delivered": report["delivered"],
                "lost": report["lost"],
                "duplicates": report["duplicates"],
                "p99 ms": report["latency"]["p99"],
                "max ms": report["latency"]["max"],
                "memory warm MB": warm / 1e6,
                "memory highest MB": highest / 1e6,
                "memory at the end MB": target.memory() / 1e6,
            }

    return Scenario("soak", "Steady events and 50 connects and closes a second", (OWN,), measure, repeats=False)
