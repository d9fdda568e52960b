"""A million locations: whether they stay HOT updates, and what they do to the size of the table and of its indexes.

They go through the function that stores a batch, one process, as fast as that can. PostgreSQL waits for the disk, and
autovacuum has its defaults, so it comes once a minute at most. A row grows while its fixes are gathered. So the table
is measured without locations, when all rows have their size, and at the end.
"""

from __future__ import annotations

import json
from typing import Any, Final

from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import OWN, Subject
from bench.world import World
from tests.support.stack import fresh_postgres, run_python

LOCATIONS, QUICK_LOCATIONS = 1_000_000, 100_000
BOOKINGS, QUICK_BOOKINGS = 4_000, 1_000
TIMEOUT: Final = 3_600


def bloat_figures(stored: dict[str, Any]) -> Figures:
    """``stored`` is what :mod:`bench.peers.location_storer` prints."""
    empty, grown, last = (stored[name] for name in ("empty", "grown", "last"))
    updates = last["updates"] - empty["updates"]
    return {
        "locations": stored["locations"],
        "not stored": stored["locations"] - stored["stored"],
        "HOT %": 100 * (last["hot"] - empty["hot"]) / updates,
        "not HOT when grown": (last["updates"] - last["hot"]) - (grown["updates"] - grown["hot"]),
        "heap before MB": empty["heap"] / 1e6,
        "heap when grown MB": grown["heap"] / 1e6,
        "heap at the end MB": last["heap"] / 1e6,
        "indexes before MB": empty["indexes"] / 1e6,
        "indexes when grown MB": grown["indexes"] / 1e6,
        "indexes at the end MB": last["indexes"] / 1e6,
        "dead rows at the end": last["dead"],
        "autovacuums": last["autovacuums"] - empty["autovacuums"],
    }


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    url = fresh_postgres(world.postgres)
    environment = {**world.environment, "DATABASE_URL": url, "SERVICES": "http"}
    try:
        wanted = {"people": 1, "employers": 0, "bookings": QUICK_BOOKINGS if sizes.quick else BOOKINGS}
        run_python(environment, "bench/peers/seed.py", stdin=json.dumps(wanted))
        count = QUICK_LOCATIONS if sizes.quick else LOCATIONS
        printed = run_python(environment, "-m", "bench.peers.location_storer", str(count), timeout=TIMEOUT)
    finally:
        world.postgres.drop_database(url)
    return bloat_figures(json.loads(printed))


SCENARIO = Scenario("bloat", "A million locations: HOT updates, size of the table", (OWN,), measure, repeats=False)
