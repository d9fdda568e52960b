"""Two ws processes are replaced one after the other under clients that resume, while events go on.

Each replacement is ready before the old process gets SIGTERM, as in a rolling update, and newcomers are sent only to
processes whose readiness probe says yes.
"""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack

import httpx

from bench.load_generator import LoadGenerator
from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import OUTBOX, OWN, UNLIMITED, Subject
from bench.world import World
from tests.support.eventually import eventually
from tests.support.services import OwnServer

CLIENTS = 2_000
PER_BOOKING = 20
EVENTS_PER_SECOND = 50
SETTLE, WINDOW = 1, 10
VARIABLES = {
    **UNLIMITED,
    "SERVICES": "ws",
    "HUB_COMPARISON_INTERVAL": "5",
    "WS_DRAIN_SETTLE": str(SETTLE),
    "WS_DRAIN_WINDOW": str(WINDOW),
    "WS_GRACE": "30",
}


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    with ExitStack() as running, world.generator() as generator:

        def start() -> OwnServer:
            return running.enter_context(OwnServer(world.directory, {**world.environment, **VARIABLES}))

        servers = [start(), start()]
        sockets = [
            {**socket, "path": f"/ws/bookings/{socket['group']}/"}
            for socket in world.seeded.sockets(CLIENTS, PER_BOOKING)
        ]
        generator.connect("hunarmitra", _addresses(servers), sockets, resume=True)
        generator.call("publish", helper=OUTBOX, rate=EVENTS_PER_SECOND)
        herds = []
        for _ in range(sizes.restarts):
            for position in range(len(servers)):
                old, servers[position] = servers[position], start()
                herds.append(_replace(generator, old, servers))
        report = generator.call("finish", settle=30)
        codes = generator.call("state")["codes"]
        return {
            "restarts": sizes.restarts,
            "events": report["events"],
            "expected": report["expected"],
            "delivered": report["delivered"],
            "lost": report["lost"],
            "duplicates": report["duplicates"],
            "closed 4012": codes.get("4012", 0),
            "closed 1006": codes.get("1006", 0),
            "busiest second over mean": max(herds),
        }


def _addresses(servers: list[OwnServer]) -> list[str]:
    return [f"127.0.0.1:{server.port}" for server in servers]


def _replace(generator: LoadGenerator, old: OwnServer, servers: list[OwnServer]) -> float:
    """Drain and stop ``old``. Returns its busiest second of reconnects over the mean of the drain window."""
    generator.call("addresses", addresses=_addresses([*servers, old]))
    before: dict[str, int] = generator.call("state")["reconnects_by_second"]
    old.signal(signal.SIGTERM)
    eventually(lambda: not _is_ready(old), 5, "a draining server is not ready")
    generator.call("addresses", addresses=_addresses(servers))
    old.wait(60)
    time.sleep(2)  # the last to be moved wait up to a second
    after: dict[str, int] = generator.call("state")["reconnects_by_second"]
    seconds = [count - before.get(second, 0) for second, count in after.items()]
    return max(seconds) / (sum(seconds) / WINDOW)


def _is_ready(server: OwnServer) -> bool:
    try:
        return httpx.get(f"{server.admin_url}/readyz", timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


SCENARIO = Scenario(
    "rolling-restart", "Rolling restart of two processes under 2,000 clients", (OWN,), measure, repeats=False
)
