"""Memory of an idle authenticated socket: what the process grew by, once everything has settled."""

from __future__ import annotations

import time

from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import CENTRIFUGE, DAPHNE_PUBSUB, OWN, SOCKETIO, UVICORN, Subject
from bench.systems import EARLIER_VERSION
from bench.world import World

PER_BOOKING = 10
WARM = 200
SETTLE = 5.0


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    with subject.start(world) as target, world.generator() as generator:
        sockets = target.clients(world, WARM + sizes.idle_sockets, PER_BOOKING)
        generator.connect(target.protocol, [target.address], sockets[:WARM])
        time.sleep(SETTLE)
        before = target.memory()
        joined = generator.connect(target.protocol, [target.address], sockets[WARM:])
        time.sleep(SETTLE)
        grown = target.memory() - before
        cpu_before, began = target.cpu(), time.monotonic()
        time.sleep(SETTLE)
        idle = (target.cpu() - cpu_before) / (time.monotonic() - began)
        return {
            "KB per socket": grown / max(1, joined["joined"]) / 1000,
            "sockets": joined["joined"],
            "idle CPU cores": idle,
            "empty process MB": before / 1e6,
        }


SCENARIO = Scenario(
    "memory",
    "Memory per idle authenticated socket (resident size)",
    (OWN, EARLIER_VERSION, CENTRIFUGE, SOCKETIO, UVICORN, DAPHNE_PUBSUB),
    measure,
)
