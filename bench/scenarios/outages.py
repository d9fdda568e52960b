"""PostgreSQL and Redis stop for ten seconds while workers send 1,000 locations a second over their connections.

Each of the two stops in both ways that exist. It hangs (SIGSTOP): its connections stay open, and nothing answers. Or it
is away: its connections end, and new ones are refused. One ws process serves all workers and watchers. What became of
each location is judged by its number.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from bench.load_generator import LoadGenerator
from bench.processes import resident_bytes
from bench.scenarios.booking import WATCHERS
from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import OWN, Subject
from bench.systems import System, version
from bench.world import World
from tests.support.surroundings import REPOSITORY

LOCATIONS_PER_SECOND, QUICK_LOCATIONS_PER_SECOND = 1_000, 100
EACH_SECONDS: Final = 4
"""A worker's interval: twice the default, as a worker at rest sends."""

OUTAGE, QUICK_OUTAGE = 10.0, 4.0
BEFORE, STARTING, AFTER = 4.0, 3.0, 8.0
SETTLE = 4.0

BUCKET, ON_TIME, MOST = 0.1, 1.0, 0.95
"""All is well in a bucket of seconds if of its locations at least ``MOST`` are accepted and delivered ``ON_TIME``."""


@contextmanager
def _postgres_hangs(world: World) -> Iterator[None]:
    with world.postgres.paused():
        yield


@contextmanager
def _postgres_away(world: World) -> Iterator[None]:
    """A fast shutdown, as an operator or a failover does it."""
    world.postgres.process.signal(signal.SIGINT)
    world.postgres.process.wait()
    try:
        yield
    finally:
        world.postgres.process.start()


@contextmanager
def _redis_hangs(world: World) -> Iterator[None]:
    world.redis.pause()
    try:
        yield
    finally:
        world.redis.resume()


@contextmanager
def _redis_away(world: World) -> Iterator[None]:
    world.redis.terminate()
    try:
        yield
    finally:
        world.redis.start()


KINDS: Final[dict[str, Callable[[World], AbstractContextManager[None]]]] = {
    "PostgreSQL hangs": _postgres_hangs,
    "PostgreSQL away": _postgres_away,
    "Redis hangs": _redis_hangs,
    "Redis away": _redis_away,
}


@dataclass(frozen=True)
class Sent:
    """What became of one location; times in seconds, None if nothing came. ``retry``: its answer says when."""

    at: float
    answered: float | None
    code: str
    retry: bool
    seen: float | None

    @property
    def on_time(self) -> bool:
        moments = (self.answered, self.seen)
        return self.code == "accepted" and all(moment is not None and moment - self.at <= ON_TIME for moment in moments)


def locations_of(report: dict[str, Any]) -> list[Sent]:
    """Return the locations of a report of the load generator, with times of the monotonic clock."""
    began = report["began"] / 1e9

    def moment(milliseconds: float) -> float | None:
        return None if milliseconds < 0 else began + milliseconds / 1e3

    rows = zip(*(report[name] for name in ("sent", "answered", "codes", "retry", "seen")), strict=True)
    return [
        Sent(began + at / 1e3, moment(answered), code, retry, moment(seen)) for at, answered, code, retry, seen in rows
    ]


def outage_figures(kind: str, locations: list[Sent], stopped: float, returned: float) -> Figures:
    """Judge the locations that were sent during the outage and after it."""
    during = [each for each in locations if stopped <= each.at < returned]
    codes = Counter(each.code for each in during)
    accepted = [each.answered for each in locations if each.code == "accepted" and each.answered is not None]
    seen = [each.seen for each in locations if each.seen is not None]
    return {
        f"{kind} sent": len(during),
        f"{kind} accepted": codes["accepted"],
        f"{kind} unavailable": codes["unavailable"],
        f"{kind} unanswered": codes[""],
        f"{kind} other answers": codes.total() - codes["accepted"] - codes["unavailable"] - codes[""],
        f"{kind} without retry": sum(each.code == "unavailable" and not each.retry for each in during),
        f"{kind} slowest answer s": max(
            (each.answered - each.at for each in during if each.answered is not None), default=float("nan")
        ),
        f"{kind} accepted again s": _first_after(returned, accepted),
        f"{kind} delivered again s": _first_after(returned, seen),
        f"{kind} well again s": _well_again([each for each in locations if each.at >= returned], returned),
    }


def _first_after(returned: float, moments: list[float]) -> float:
    return min((moment for moment in moments if moment >= returned), default=float("inf")) - returned


def _well_again(locations: list[Sent], returned: float) -> float:
    """Return the seconds until the end of the last bucket in which not all was well."""
    sent: Counter[int] = Counter()
    on_time: Counter[int] = Counter()
    for each in locations:
        bucket = int((each.at - returned) / BUCKET)
        sent[bucket] += 1
        on_time[bucket] += each.on_time
    return max(((bucket + 1) * BUCKET for bucket in sent if on_time[bucket] < MOST * sent[bucket]), default=0.0)


def _highest_memory(pid: int, until: float) -> int:
    highest = 0
    while time.monotonic() < until:
        highest = max(highest, resident_bytes(pid))
        time.sleep(0.05)
    return highest


def _outage(world: World, system: System, generator: LoadGenerator, kind: str, load: tuple[int, float]) -> Figures:
    """``load`` is locations a second, and the seconds of the outage."""
    rate, seconds = load
    ws = system.processes["ws"]
    disconnects = _disconnects(generator)
    with ThreadPoolExecutor(1) as thread:
        total = BEFORE + seconds + STARTING + AFTER
        sending = thread.submit(generator.call, "send", rate=rate, seconds=total, each=True, settle=SETTLE)
        before = _highest_memory(ws, time.monotonic() + BEFORE)
        stopped = time.monotonic()
        with KINDS[kind](world):
            highest = _highest_memory(ws, stopped + seconds)
        returned = time.monotonic()
        highest = max(highest, _highest_memory(ws, returned + AFTER))
        report = sending.result()
    return outage_figures(kind, locations_of(report["each"]), stopped, returned) | {
        f"{kind} memory grown MB": (highest - before) / 1e6,
        f"{kind} disconnects": _disconnects(generator) - disconnects,
        f"{kind} second answers": report["answers"].get("second answer", 0),
    }


def _disconnects(generator: LoadGenerator) -> int:
    return sum(generator.call("state")["codes"].values())


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    load = (QUICK_LOCATIONS_PER_SECOND, QUICK_OUTAGE) if sizes.quick else (LOCATIONS_PER_SECOND, OUTAGE)
    with version(world, REPOSITORY) as system, world.generator() as generator:
        count = EACH_SECONDS * load[0]
        seeded = system.seeded
        senders: list[dict[str, Any]] = [
            {"group": booking, "path": system.path(booking), "token": token, "sender": True}
            for booking, token in zip(seeded.bookings[:count], seeded.worker_tokens, strict=False)
        ]
        watchers = [
            {"group": booking, "path": system.path(booking), "token": seeded.tokens[WATCHERS * number + watcher]}
            for number, booking in enumerate(seeded.bookings[:count])
            for watcher in range(WATCHERS)
        ]
        generator.connect(system.protocol, [system.ws], senders)
        generator.connect(system.protocol, [system.ws], watchers)
        generator.call("send", rate=load[0], seconds=2 * EACH_SECONDS)  # warms
        figures: Figures = {"locations a second": load[0], "outage s": load[1]}
        for kind in KINDS:
            figures |= _outage(world, system, generator, kind, load)
        return figures


SCENARIO = Scenario("outages", "PostgreSQL and Redis stop for ten seconds, 1,000 locations a second", (OWN,), measure)
