"""What no server can do without: one bare write of one frame to a loopback socket, in a loop, on one thread.

The clients that read the frames are the load generator's ordinary ones, so this is its calibration too: how many
deliveries a second it can read, parse and count.
"""

from __future__ import annotations

from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import Subject, own
from bench.world import World

SOCKETS = 500
FLOOR = Subject("floor", "bare write(2), nothing else", own)


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    with world.generator() as generator:
        report = generator.call("floor", groups=[str(number) for number in range(SOCKETS)], seconds=sizes.fixed)
        return {
            "CPU per write us": report["write_us"],
            "writes per CPU second": 1e6 / report["write_us"],
            "generator CPU per delivery us": report["receive_us"],
            "generator deliveries per second": report["received_per_second"],
            "lost": report["lost"],
        }


SCENARIO = Scenario("floor", "The floor: one bare loopback write", (FLOOR,), measure)
