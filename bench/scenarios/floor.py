"""What no server can do without: one bare write of one frame to a loopback socket, in a loop, on one thread.

The clients that read the frames are the load generator's ordinary ones, so this is its calibration too: how many
deliveries a second it can read, parse and count. A second time the writes are paced as the events of the fan-out's
fixed rate are: a write that comes after a pause costs several times one of a loop.
"""

from __future__ import annotations

from bench.scenarios.fan_out import DELIVERIES_PER_SECOND
from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import Subject, own
from bench.world import World

SOCKETS = 500
FLOOR = Subject("floor", "bare write(2), nothing else", own)


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    groups = [str(number) for number in range(SOCKETS)]
    with world.generator() as generator:
        paced = generator.call("floor", groups=groups, rate=DELIVERIES_PER_SECOND / SOCKETS, seconds=sizes.fixed)
        report = generator.call("floor", groups=groups, seconds=sizes.fixed)
        return {
            "paced CPU per write us": paced["write_us"],
            "paced writes per CPU second": 1e6 / paced["write_us"],
            "CPU per write us": report["write_us"],
            "writes per CPU second": 1e6 / report["write_us"],
            "generator CPU per delivery us": report["receive_us"],
            "generator deliveries per second": report["received_per_second"],
            "lost": paced["lost"] + report["lost"],
        }


SCENARIO = Scenario("floor", "The floor: one bare loopback write", (FLOOR,), measure)
