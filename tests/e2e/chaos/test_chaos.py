"""Everything fails, again and again, under load; afterwards nothing is lost and everything is well.

CHAOS_SECONDS, CHAOS_SEED, CHAOS_KINDS, CHAOS_CLIENTS, CHAOS_WORKERS and CHAOS_PROCESSES change the run; the same seed
and kinds give the same schedule. The report is printed, and written to .cache/chaos.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e import in_pods
from tests.e2e.chaos.conduct import PATIENCE, Canary, Conductor, observed
from tests.e2e.chaos.injectors import Injectors
from tests.e2e.chaos.processes import ClientProcess
from tests.e2e.chaos.report import table, unrecovered
from tests.e2e.chaos.schedule import chosen, plan
from tests.e2e.chaos.system import ENVIRONMENT, SETTINGS, System
from tests.e2e.chaos.verdict import Clients, Entry, violations
from tests.e2e.cluster import get
from tests.e2e.conftest import SEED, People, installed, people_of
from tests.e2e.watching import Watcher
from tests.support.eventually import eventually_async
from tests.support.surroundings import REPOSITORY

SECONDS: Final = float(os.environ.get("CHAOS_SECONDS", "3600" if os.environ.get("E2E_FULL") else "600"))
CLIENTS: Final = int(os.environ.get("CHAOS_CLIENTS", "500"))
WORKERS: Final = int(os.environ.get("CHAOS_WORKERS", "100"))
PROCESSES: Final = int(os.environ.get("CHAOS_PROCESSES", "2"))
STOP_SECONDS: Final = 330
PORTION: Final = 15
"""Users that are created at once, so that a slow machine is in time."""
REPORT: Final = REPOSITORY / ".cache" / "chaos.md"


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """A release with the operator, prepared for the faults."""
    with installed(System(), *SETTINGS, env=ENVIRONMENT) as running:
        assert isinstance(running, System)
        running.prepare()
        yield running


@pytest.fixture(scope="module")
def everybody(system: System) -> Iterator[People]:
    with people_of(system) as found:
        yield found


@pytest.fixture
def clients(system: System, tmp_path: Path, seed: int) -> Iterator[list[ClientProcess]]:
    """Processes that share the clients and workers."""
    address = os.environ.get("E2E_INGRESS", "127.0.0.1:80").rpartition(":")[0]
    with ExitStack() as stack:
        started: list[ClientProcess] = []
        for number in range(PROCESSES):
            employer, admin, *workers = accounts(system, WORKERS // PROCESSES)
            process = ClientProcess(
                tmp_path,
                name=f"clients-{number}",
                url=system.base_url,
                host=system.host,
                address=address,
                seed=seed + number,
                watchers=CLIENTS // PROCESSES,
                employer=employer,
                admin=admin,
                workers=workers,
            )
            stack.callback(process.close)
            started.append(process)
        yield started


def accounts(system: System, workers: int) -> list[dict[str, str]]:
    """Create an employer, an admin and workers, signed in."""
    roles = ["employer", "admin", *["worker"] * workers]
    wanted = [
        {
            "username": f"{role}-{secrets.token_hex(6)}",
            "password": secrets.token_urlsafe(12),
            "name": role,
            "role": role,
        }
        for role in roles
    ]
    command = (f"deployment/{system.full('http')}", "python", "-c", SEED.read_text(), "--sign-in")
    made: list[dict[str, str]] = []
    for begin in range(0, len(wanted), PORTION):
        made += json.loads(system.execute(*command, stdin=json.dumps(wanted[begin : begin + PORTION])))
    keys = ("id", "username", "password", "access", "refresh")
    return [{key: str(user[key]) for key in keys} for user in made]


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("CHAOS_SEED") or secrets.randbelow(2**31))


@pytest.mark.timeout(PATIENCE * SECONDS + 1500)
async def test_nothing_is_lost_and_everything_recovers(
    system: System,
    people: People,
    clients: list[ClientProcess],
    seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    record_property("seed", seed)
    nodes = len(get("nodes")["items"])
    missing = [] if nodes > 1 else ["drain node", "lose node"]
    missing += [] if "E2E_CLUSTER" in os.environ else ["lose node"]
    kinds = chosen(os.environ.get("CHAOS_KINDS", ""))
    faults = plan(seed, SECONDS, [kind for kind in kinds if kind.name not in missing])
    [booking] = await asyncio.to_thread(people.bookings, 1)
    watcher = Watcher(system.booking_url(booking), people.employer.token, ping_seconds=5)
    canary = Canary(watcher, people.admin, booking, people.workers)
    async with observed(system, clients, canary, watcher) as observer:
        await eventually_async(partial(are_live, clients), 300, "clients are connected", 0.5)
        await eventually_async(lambda: observer.well_since(0), 120, "the system is well before the faults")
        conductor = Conductor(Injectors(system, clients), observer)
        await conductor.run(faults, SECONDS)
        for process in clients:
            process.order(do="stop")
        reports = [await asyncio.to_thread(process.report, STOP_SECONDS) for process in clients]
    seen = Clients.of(reports)
    bookings = sorted({watched.booking for watched in seen.watched})
    database = logs_of(await asyncio.to_thread(system.call, "http", in_pods.read_logs, bookings=bookings))
    ailments = await asyncio.to_thread(system.ailments)
    found = [*unrecovered(conductor.outcomes), *violations(seen, database), *ailments]
    text = summary(seed, seen, database, found)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(f"{text}\n\n{table(conductor.outcomes)}\n" + "".join(f"\n- {said}" for said in found))
    record_property("summary", text)
    record_property("faults", "\n" + table(conductor.outcomes))
    record_property("left out for want of time", len(conductor.left_out))
    assert not found, "\n".join(found[:50])
    assert len(conductor.outcomes) >= len(faults) / 2, "the faults took so long that most were left out"
    assert len(seen.watched) >= CLIENTS


def are_live(clients: Sequence[ClientProcess]) -> bool:
    """Return whether nearly all clients are connected. Raises RuntimeError if a process has ended."""
    for process in clients:
        if process.has_ended:
            raise RuntimeError(process.end_of_log())
    return sum(process.figures["live"] for process in clients) >= 0.9 * CLIENTS


def logs_of(found: dict[str, Any]) -> dict[str, Sequence[Entry]]:
    return {booking: [(int(seq), str(status)) for seq, status in log] for booking, log in found.items()}


def summary(seed: int, seen: Clients, database: dict[str, Sequence[Entry]], found: list[str]) -> str:
    events = sum(len(watched.log) for watched in seen.watched)
    shown = sum(len(watched.locations) for watched in seen.watched)
    outcomes = ", ".join(f"{name} {count}" for name, count in sorted(seen.answers.items()))
    return (
        f"Seed {seed}, {SECONDS:g} s, {CLIENTS} clients at once, {WORKERS} workers. {len(seen.watched)} logs of "
        f"{len(database)} bookings with {events} events and {shown} locations; {len(seen.acknowledged)} acknowledged "
        f"writes and {seen.locations} locations. Outcomes of requests: {outcomes}. {len(found)} violations."
    )
