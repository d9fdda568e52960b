"""Phones with two subscriptions, a booking and the notifications: one connection of `/ws/`, or one for each.

Both are this server. Each figure is for a phone, so that the two can be compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import resource
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import psycopg

from bench.dispatcher import Received, SubscribedDispatcher, seconds_to_subscribe
from bench.load_generator import LoadGenerator
from bench.processes import cpu_seconds
from bench.scenarios.fan_out import publish
from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.statements import logged_statements
from bench.subjects import OUTBOX, Subject, Target, own
from bench.world import World
from tests.support.surroundings import REPOSITORY, clean_environment

ONE = Subject("one-connection", "this server, /ws/", own)
TWO = Subject("two-connections", "this server, a connection for each channel", own)

PER_BOOKING = 10
EVENTS_PER_SECOND = 200
WARM = 200
SETTLE = 5.0
IN_FLIGHT = 50
COUNTED, COUNTED_ALONE = 1_000, 100
"""Connects whose statements are counted."""

RETURNING, MISSED = 2_000, 50
SUBSCRIPTIONS = 500
STATUSES, QUICK_STATUSES = 40_000, 8_000
STATUSES_PER_SECOND = 1_000
STATUSES_AT_ONCE = 10
DISCONNECTS = 10
ARRIVAL = 120.0
"""Seconds until events that have not arrived count as lost."""

SPARE_FILES = 3_000
"""Open files of a process besides its clients' connections."""

COMPARISON = {"HUB_COMPARISON_INTERVAL": "5"}


def phones(world: World, subject: Subject, count: int, first: int = 0) -> list[tuple[str, list[dict[str, Any]]]]:
    """The protocol and the sockets of each kind of connection."""
    sockets: list[dict[str, Any]] = [dict(each) for each in world.seeded.sockets(count, PER_BOOKING, first)]
    if subject is ONE:
        return [("hunarmitra-shared", [{**each, "path": "/ws/"} for each in sockets])]
    notifications = [{**each, "group": f"user {n}", "path": "/ws/notifications/"} for n, each in enumerate(sockets)]
    return [
        ("hunarmitra", [{**each, "path": f"/ws/bookings/{each['group']}/"} for each in sockets]),
        ("hunarmitra", notifications),
    ]


def connect(
    generator: LoadGenerator, target: Target, kinds: list[tuple[str, list[dict[str, Any]]]], **options: Any
) -> float:
    """Return the seconds until everything has joined, or is complete. Raises RuntimeError if a socket was refused."""
    began = time.monotonic()
    mixed = [socket for group in zip(*(sockets for _, sockets in kinds), strict=True) for socket in group]
    joined = generator.connect(kinds[0][0], [target.address], mixed, **options)
    if joined["failed"]:
        raise RuntimeError(f"{joined['failed']} connections failed: {joined['failures']}")
    return time.monotonic() - began


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    return (
        _connects_and_memory(world, subject, sizes)
        | _statements_of_connects(world, subject)
        | _events(world, subject, sizes)
        | _returning(world, subject, sizes)
        | _dispatcher(world, subject, sizes)
    )


def _connects_and_memory(world: World, subject: Subject, sizes: Sizes) -> Figures:
    with own(world) as target, world.generator() as generator:
        connect(generator, target, phones(world, subject, WARM), in_flight=IN_FLIGHT)
        time.sleep(SETTLE)
        database = world.postgres.process.pid
        before_rest = cpu_seconds(database)
        time.sleep(SETTLE)
        memory, cpu, database_cpu = target.memory(), target.cpu(), cpu_seconds(database)
        idle = (database_cpu - before_rest) / SETTLE
        count = sizes.idle_sockets
        seconds = connect(generator, target, phones(world, subject, count, WARM), in_flight=IN_FLIGHT)
        cpu = target.cpu() - cpu
        database_cpu = cpu_seconds(database) - database_cpu - idle * seconds
        time.sleep(SETTLE)
        return {
            "connect CPU us": cpu / count * 1e6,
            "connect PostgreSQL CPU us": database_cpu / count * 1e6,
            "connects per second": count / seconds,
            "KB per phone": (target.memory() - memory) / count / 1000,
        }


def _statements_of_connects(world: World, subject: Subject) -> Figures:
    """Connects that happen together share statements, so there is a figure for connects one after the other too."""
    figures: Figures = {}
    with own(world) as target, world.generator() as generator:
        connect(generator, target, phones(world, subject, WARM), in_flight=IN_FLIGHT)
        with logged_statements(world.postgres) as statements:
            time.sleep(SETTLE)
            idle = statements() / SETTLE
            for name, count, first, in_flight in (
                ("statements of a connect", COUNTED, WARM, IN_FLIGHT),
                ("statements of a connect alone", COUNTED_ALONE, WARM + COUNTED // PER_BOOKING, 1),
            ):
                before = statements()
                seconds = connect(generator, target, phones(world, subject, count, first), in_flight=in_flight)
                figures[name] = (statements() - before - idle * seconds) / count
    return figures


def _phones(sizes: Sizes) -> int:
    """Return how many phones can have two connections each: the machine limits the open files of a process."""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        sizes.many_sockets if files == resource.RLIM_INFINITY else min(sizes.many_sockets, (files - SPARE_FILES) // 2)
    )


def _events(world: World, subject: Subject, sizes: Sizes) -> Figures:
    count = _phones(sizes)
    limit = {"WS_MAX_CONNECTIONS": str(2 * count + WARM)}
    with own(world, **COMPARISON, **limit) as started, world.generator() as generator:
        target = replace(started, helper=OUTBOX)
        kinds = phones(world, subject, count)
        connect(generator, target, kinds, in_flight=100, timeout=300)
        groups = sorted({socket["group"] for socket in kinds[0][1]})
        publish(generator, target, world, 2, rate=EVENTS_PER_SECOND, groups=groups)  # warm
        figures = publish(generator, target, world, 2 * sizes.fixed, rate=EVENTS_PER_SECOND, groups=groups)
        return {"phones": count, "memory MB": target.memory() / 1e6, **figures}


def _returning(world: World, subject: Subject, sizes: Sizes) -> Figures:
    """Everybody comes back at once, and each has missed 50 events."""
    count = RETURNING if not sizes.quick else RETURNING // 4
    with own(world, **COMPARISON) as target, world.generator() as generator:
        kinds = phones(world, subject, count, first=1_000)
        seqs = _miss_events(world, sorted({socket["group"] for socket in kinds[0][1]}))
        for socket in kinds[0][1]:
            socket["since"] = seqs[socket["group"]]
        connect(generator, target, phones(world, subject, 100), in_flight=IN_FLIGHT)  # warm
        cpu = target.cpu()
        seconds = connect(generator, target, kinds, in_flight=0, complete=True)
        return {"returning slowest ms": 1000 * seconds, "returning CPU us": (target.cpu() - cpu) / count * 1e6}


def _miss_events(world: World, bookings: list[str]) -> dict[str, int]:
    """Commit the events; return the seq of each booking before them."""
    with psycopg.connect(world.database_url, autocommit=True) as database:
        rows = database.execute(
            "UPDATE bookings_booking SET seq = seq + %s WHERE id = ANY(%s::uuid[]) RETURNING id, seq",
            [MISSED, bookings],
        ).fetchall()
        database.execute(
            "INSERT INTO bookings_bookingevent"
            " (booking_id, seq, event_type, status, actor, clears_location, created_at, published_at)"
            " SELECT id, number, 'booking_on_the_way', 'on_the_way', 'Ravi Kumar', false, now(), now()"
            " FROM bookings_booking, generate_series(seq - %s + 1, seq) number WHERE id = ANY(%s::uuid[])",
            [MISSED, bookings],
        )
    return {str(row[0]): int(row[1]) - MISSED for row in rows}


def _dispatcher(world: World, subject: Subject, sizes: Sizes) -> Figures:
    if subject is TWO:
        return {}
    with own(world, **COMPARISON) as target:
        token, bookings = world.seeded.tokens[0], world.bookings
        asyncio.run(seconds_to_subscribe(target.address, token, bookings[:10]))  # warm
        seconds = asyncio.run(seconds_to_subscribe(target.address, token, bookings[:SUBSCRIPTIONS]))
        statuses = QUICK_STATUSES if sizes.quick else STATUSES
        return {
            "500 subscriptions seconds": seconds,
            **asyncio.run(_statuses(world, target, bookings[:SUBSCRIPTIONS], statuses)),
        }


async def _statuses(world: World, target: Target, bookings: list[str], count: int) -> Figures:
    """Events of a dispatcher's bookings, in turn, while its connection breaks again and again."""
    with psycopg.connect(world.database_url) as database:
        rows = database.execute(
            "SELECT id, seq FROM bookings_booking WHERE id = ANY(%s::uuid[])", [bookings]
        ).fetchall()
    first = {str(row[0]): int(row[1]) for row in rows}
    token, per_connection = world.seeded.tokens[0], count // (DISCONNECTS + 1) + 1
    dispatcher = SubscribedDispatcher([target.address], token, first, per_connection)
    async with dispatcher.watching():
        async with asyncio.timeout(ARRIVAL):
            await dispatcher.joined.wait()
        newest = await _publish_statuses(world, first, count)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ARRIVAL):
                await dispatcher.until(newest)
        await asyncio.sleep(SETTLE)  # for events that are sent twice
    received = Received.of(dispatcher.received, first, newest)
    return {
        "dispatcher events": count,
        "dispatcher disconnects": dispatcher.broken,
        "dispatcher lost": received.lost,
        "dispatcher repeated": received.repeated,
        "dispatcher out of order": received.out_of_order,
    }


async def _publish_statuses(world: World, first: Mapping[str, int], count: int) -> dict[str, int]:
    """Commit and publish so many events of the bookings, in turn; return the newest seq of each booking."""
    publisher = await asyncio.create_subprocess_exec(
        *OUTBOX, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY, env=clean_environment(world.environment)
    )
    assert publisher.stdin is not None
    assert publisher.stdout is not None
    await publisher.stdout.readline()
    newest = dict(first)
    for number, booking in zip(range(count), itertools.cycle(first), strict=False):
        newest[booking] += 1
        publisher.stdin.write(f"{booking} {newest[booking]}\n".encode())
        if number % STATUSES_AT_ONCE == 0:
            await asyncio.sleep(STATUSES_AT_ONCE / STATUSES_PER_SECOND)
    publisher.stdin.close()
    await publisher.wait()
    return newest


SCENARIO = Scenario(
    "one-connection", "Phones with two subscriptions: one connection, or one for each", (ONE, TWO), measure
)
