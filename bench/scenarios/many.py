"""Ten thousand sockets on one process and 200 events a second: how late the slowest delivery is.

An event is due every 5 ms, so the longest that a delivery took is also the longest that the event loop stood still,
or more. For this server the events are published as the domain does, rows in the database first, and its comparison
with the database runs as by default; centrifuge is published to directly.
"""

from __future__ import annotations

from dataclasses import replace

from bench.scenarios.fan_out import publish
from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import CENTRIFUGE, OUTBOX, OWN, Subject, own
from bench.world import World

PER_BOOKING = 10
EVENTS_PER_SECOND = 200
DEFAULT_COMPARISON = {"HUB_COMPARISON_INTERVAL": "5"}


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    mine = subject is OWN
    with own(world, **DEFAULT_COMPARISON) if mine else subject.start(world) as started, world.generator() as generator:
        target = replace(started, helper=OUTBOX) if mine else started
        clients = target.clients(world, sizes.many_sockets, PER_BOOKING)
        joined = generator.connect(target.protocol, [target.address], clients, in_flight=100)
        publish(generator, target, world, 2, rate=EVENTS_PER_SECOND)  # warm
        figures = publish(generator, target, world, 2 * sizes.fixed, rate=EVENTS_PER_SECOND)
        return {
            "sockets": joined["joined"],
            "connects per second": joined["joined"] / joined["seconds"],
            "memory MB": target.memory() / 1e6,
            **figures,
        }


SCENARIO = Scenario("many", "10,000 sockets on one process, 200 events a second", (OWN, CENTRIFUGE), measure)
