"""What connecting costs, with a JWT and, for this server and its baseline, the same authorization from the database."""

from __future__ import annotations

from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import CENTRIFUGE, DAPHNE_AUTHORIZING, OWN, SOCKETIO, UVICORN, Subject
from bench.systems import EARLIER_VERSION
from bench.world import World

IN_FLIGHT = 50
CROWD = 1_000
PER_BOOKING = 20


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    with subject.start(world) as target, world.generator() as generator:
        # The first connections import, prepare statements and fill pools.
        generator.connect(target.protocol, [target.address], target.clients(world, 100, PER_BOOKING))
        generator.call("close")
        before = target.cpu()
        steady = generator.connect(
            target.protocol, [target.address], target.clients(world, sizes.connects, PER_BOOKING), in_flight=IN_FLIGHT
        )
        cpu = target.cpu() - before
        generator.call("close")
        before = target.cpu()
        crowd = generator.connect(
            target.protocol, [target.address], target.clients(world, CROWD, PER_BOOKING), in_flight=0
        )
        crowd_cpu = target.cpu() - before
        return {
            "connects per CPU second": steady["joined"] / cpu,
            "connects per second": steady["joined"] / steady["seconds"],
            "failed": steady["failed"] + crowd["failed"],
            "crowd p50 ms": crowd["times"].get("p50", float("nan")),
            "crowd slowest ms": crowd["times"].get("max", float("nan")),
            "crowd connects per CPU second": crowd["joined"] / crowd_cpu,
        }


SCENARIO = Scenario(
    "connects",
    "Connecting with a JWT: a steady stream, and 1,000 at once",
    (OWN, EARLIER_VERSION, DAPHNE_AUTHORIZING, UVICORN, SOCKETIO, CENTRIFUGE),
    measure,
)
