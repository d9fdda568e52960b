"""How this server behaves with more sockets, and with more events: where the knee is."""

from __future__ import annotations

from dataclasses import replace

from bench.scenarios.fan_out import publish
from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import OUTBOX, OWN, Subject, own
from bench.world import World

PER_BOOKING = 10
STEADY_RATE = 100
RATE_SOCKETS = 2_000


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    figures: Figures = {}
    with own(world, HUB_COMPARISON_INTERVAL="5") as started, world.generator() as generator:
        target = replace(started, helper=OUTBOX)
        clients = target.clients(world, max(sizes.curve_sockets), PER_BOOKING)
        connected = 0
        for count in sizes.curve_sockets:
            joined = generator.connect(target.protocol, [target.address], clients[connected:count], in_flight=100)
            connected = count
            made = publish(generator, target, world, sizes.fixed, rate=STEADY_RATE)
            made |= {"connects per second": joined["joined"] / joined["seconds"], "memory MB": target.memory() / 1e6}
            figures |= {f"{count} sockets: {name}": value for name, value in made.items()}
    for rate in sizes.curve_rates:
        # A server for each: it must not live for a minute, see UNLIMITED.
        with own(world) as target, world.generator() as generator:
            generator.connect(target.protocol, [target.address], target.clients(world, RATE_SOCKETS, PER_BOOKING))
            made = publish(generator, target, world, sizes.fixed, rate=rate)
            figures |= {f"{rate} events/s: {name}": value for name, value in made.items()}
    return figures


SCENARIO = Scenario("curves", "Scale of one process: sockets, and events a second", (OWN,), measure, repeats=False)
