"""Two ws processes and one http process under load, with clients that lose their connections all the time."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

from tests.support.actors import Actor, seed
from tests.support.postgres import PostgresServer
from tests.support.scene import Scene, off_loop, scene
from tests.support.sockets import Frame
from tests.support.watcher import Watcher, nothing_lost_repeated_or_reordered, positions_only_forward

pytestmark = pytest.mark.usefixtures("over_rarely")

logger = logging.getLogger(__name__)

# Continuous integration runs half of it.
SHARE = 2 if os.environ.get("VARIANTS") == "0" else 1
SOCKETS, BOOKINGS = 200, 400 // SHARE
EVENTS = POSITIONS = 2000 // SHARE
"""At least."""

POSITIONS_PER_BOOKING = 6
DRIVERS = 4
"""Threads that post as workers, employers and staff."""

FRAMES_PER_CONNECTION = 5.0
"""On average, until a connection breaks."""


@pytest.fixture
def system(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Scene]:
    """Compared with the database so often that reads and messages of the same thing cross."""
    environment = {"WS_SOCKETS_PER_USER": "1000", "HUB_COMPARISON_INTERVAL": "0.2"}
    with scene(tmp_path_factory.mktemp("soak"), postgres_server, **environment) as running:
        yield running


@dataclass
class Life:
    """What still happens to one booking, a call at a time; `None` posts a position."""

    booking_id: str
    worker: Actor
    steps: list[str | None]
    latitude: float = 10.0

    @classmethod
    def of(cls, booking_id: str, workers: list[Actor], rng: random.Random) -> Life:
        """Positions strewn among the changes of status; one in ten is cancelled on the way."""
        statuses = ["on_the_way", "arrived", "completed"]
        if rng.random() < 0.1:
            statuses = [*statuses[: rng.randrange(3)], "cancelled"]
        steps: list[str | None] = [None] * POSITIONS_PER_BOOKING
        for place, status in zip(sorted(rng.choices(range(len(steps)), k=len(statuses) - 1)), statuses, strict=False):
            steps.insert(place + statuses.index(status), status)
        return cls(booking_id, rng.choice(workers), [*steps, statuses[-1]])


@dataclass
class Load:
    """Drives the lives that are handed to it; counts what was accepted."""

    system: Scene
    rng: random.Random
    workers: list[Actor]
    handed: queue.Queue[str] = field(default_factory=queue.Queue)
    positions: int = 0
    errors: list[BaseException] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [
            threading.Thread(target=self._drive, args=[random.Random(self.rng.random())], daemon=True)
            for _ in range(DRIVERS)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join(20)

    def _drive(self, rng: random.Random) -> None:
        lives: list[Life] = []
        try:
            while not self.stop.is_set():
                lives += self._taken(wait=not lives, rng=rng)
                if lives:
                    life = rng.choice(lives)
                    self._step(life)
                    if not life.steps:
                        lives.remove(life)
        except BaseException as error:  # noqa: BLE001 - raised in the test
            self.errors.append(error)

    def _taken(self, *, wait: bool, rng: random.Random) -> list[Life]:
        """One that was handed over meanwhile, assigned to a worker; none if there is none."""
        try:
            booking_id = self.handed.get(wait, 0.1)
        except queue.Empty:
            return []
        life = Life.of(booking_id, self.workers, rng)
        self.system.actors.admin.assign(booking_id, life.worker.id)
        return [life]

    def _step(self, life: Life) -> None:
        step = life.steps.pop(0)
        if step is None:
            life.latitude += 0.01
            life.worker.track(life.booking_id, round(life.latitude, 6), 77.0)
            self.positions += 1
        elif step == "cancelled":
            self.system.actors.employer.status(life.booking_id, step)
        else:
            life.worker.status(life.booking_id, step)


async def watch_one_after_the_other(
    system: Scene, load: Load, bookings: list[str], rng: random.Random
) -> list[tuple[str, Watcher]]:
    """One of the 200: from its bookings' first socket to their end."""
    watchers = []
    for booking_id in bookings:
        urls = [system.stack.booking_url(booking_id, pod) for pod in (0, 1)]
        who = rng.choice([system.actors.employer, system.actors.admin])
        watcher = Watcher(urls, who.token, rng, from_start=rng.random() < 0.5)
        watchers.append((booking_id, watcher))
        running = asyncio.create_task(watcher.run(frames_per_connection=FRAMES_PER_CONNECTION))
        await watcher.joined.wait()
        load.handed.put(booking_id)
        await running
    return watchers


def latitude(frame: Frame) -> float:
    return float(frame["lat"])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [20261123])
async def test_clients_that_resume_see_every_event_once_and_locations_in_order(system: Scene, number: int) -> None:
    rng = random.Random(number)
    begun = time.monotonic()
    with ExitStack() as stack:
        workers = [Actor(system.stack.base_url, user) for user in seed(system.stack, ["worker"] * 8, sign_in=True)]
        for worker in workers:
            stack.callback(worker.close)
        employer = system.actors.employer
        created = await asyncio.gather(*(off_loop(employer.create_booking) for _ in range(BOOKINGS)))
        bookings = [str(booking["id"]) for booking in created]
        load = Load(system, rng, workers)
        with load.running():
            shares = [bookings[first::SOCKETS] for first in range(SOCKETS)]
            clients = [
                asyncio.create_task(watch_one_after_the_other(system, load, share, random.Random(rng.random())))
                for share in shares
            ]
            while not all(client.done() for client in clients):
                assert not load.errors, load.errors
                await asyncio.wait(clients, timeout=1)
            watchers = [pair for client in clients for pair in client.result()]
    finished = time.monotonic()

    rows = system.sql("SELECT booking_id, seq, event_type, status FROM bookings_bookingevent ORDER BY booking_id, seq")
    logs: dict[str, list[tuple[int, str, str]]] = {}
    for booking_id, *event in rows:
        logs.setdefault(str(booking_id), []).append((event[0], event[1], event[2]))
    assert len(watchers) == BOOKINGS
    shown = 0
    for booking_id, watcher in watchers:
        nothing_lost_repeated_or_reordered(watcher, logs[booking_id])
        shown += positions_only_forward(watcher, latitude)
    assert len(rows) >= EVENTS
    assert load.positions >= POSITIONS
    connections = sum(watcher.connections for _, watcher in watchers)
    assert connections > 2 * BOOKINGS, "hardly a connection broke"
    logger.info(
        "%d events, %d positions posted, %d shown, %d connections in %.1f s",
        len(rows), load.positions, shown, connections, finished - begun,
    )  # fmt: skip
