"""One dispatcher watches 10,000 bookings with 2,500 locations a second; what that costs the process, and the others.

Status events are committed and published as the domain does. Locations are only published: what a location costs
before that is measured by the scenario `booking`.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import psycopg

from bench.dispatcher import LiveDispatcher, open_connection
from bench.scenarios.fan_out import publish
from bench.scenarios.scenario import Figures, Scenario, Sizes
from bench.subjects import OUTBOX, OWN, Subject, Target, own
from bench.world import World
from tests.support.surroundings import REPOSITORY, clean_environment

LIVE, QUICK_LIVE = 10_000, 2_000
LOCATIONS_PER_SECOND, QUICK_LOCATIONS_PER_SECOND = 2_500, 500
STATUSES_PER_SECOND = 50
WATCHERS, PER_BOOKING, OTHERS_PER_SECOND = 1_000, 20, 100
SETTLE = 3.0
COMPARISON = {"HUB_COMPARISON_INTERVAL": "5"}

_TRACKED = """
INSERT INTO bookings_booking
SELECT copy.*
FROM (SELECT * FROM bookings_booking LIMIT 1) model, generate_series(1, %s) number,
     jsonb_populate_record(
         NULL::bookings_booking,
         to_jsonb(model) || jsonb_build_object('id', gen_random_uuid(), 'seq', 1, 'service', number, 'notes', 'live')
     ) copy
"""
_EVENTS = """
INSERT INTO bookings_bookingevent
    (booking_id, seq, event_type, status, actor, clears_location, created_at, published_at)
SELECT id, 1, 'booking_on_the_way', 'on_the_way', 'Ravi Kumar', false, now(), now()
FROM bookings_booking WHERE notes = 'live'
"""


@contextlib.contextmanager
def tracked_bookings(world: World, count: int) -> Iterator[list[str]]:
    """Only these bookings are tracked meanwhile. The world's own have no events, which `live` would look for."""
    with psycopg.connect(world.database_url, autocommit=True) as database:
        database.execute("UPDATE bookings_booking SET status = 'requested'")
        database.execute(_TRACKED, [count])
        database.execute("UPDATE bookings_booking SET status = 'on_the_way' WHERE notes = 'live'")
        database.execute(_EVENTS)
        database.execute("VACUUM ANALYZE")
        rows = database.execute("SELECT id FROM bookings_booking WHERE notes = 'live'").fetchall()
        yield [str(row[0]) for row in rows]
        database.execute(
            "DELETE FROM bookings_bookingevent"
            " WHERE booking_id IN (SELECT id FROM bookings_booking WHERE notes = 'live')"
        )
        database.execute("DELETE FROM bookings_booking WHERE notes = 'live'")
        database.execute("UPDATE bookings_booking SET status = 'on_the_way'")


def measure(world: World, subject: Subject, sizes: Sizes) -> Figures:
    count, rate = (QUICK_LIVE, QUICK_LOCATIONS_PER_SECOND) if sizes.quick else (LIVE, LOCATIONS_PER_SECOND)
    with tracked_bookings(world, count) as bookings, own(world, **COMPARISON) as started:
        target = replace(started, helper=OUTBOX)
        load = (rate, 2 * sizes.fixed)
        alone = asyncio.run(_watch(world, target, bookings, load))
        with world.generator() as generator:
            generator.connect(target.protocol, [target.address], target.clients(world, WATCHERS, PER_BOOKING))
            publish(generator, target, world, 2, rate=OTHERS_PER_SECOND)  # warm
            quiet = publish(generator, target, world, sizes.fixed, rate=OTHERS_PER_SECOND)
            others: Figures = {}

            def publish_to_others() -> None:
                others.update(publish(generator, target, world, sizes.fixed, rate=OTHERS_PER_SECOND))

            both = threading.Thread(target=publish_to_others)
            watched = asyncio.run(_watch(world, target, bookings, load, meanwhile=both))
            quiet_again = publish(generator, target, world, sizes.fixed, rate=OTHERS_PER_SECOND)
        return {
            **alone,
            "lost": alone["lost"] + watched["lost"] + others["lost"],
            "duplicates": alone["duplicates"] + watched["duplicates"] + others["duplicates"],
            "others p99 ms": others["p99 ms"],
            "others quiet p99 ms": quiet["p99 ms"],
            "others quiet again p99 ms": quiet_again["p99 ms"],
        }


async def _watch(
    world: World,
    target: Target,
    bookings: Sequence[str],
    load: tuple[float, float],
    *,
    meanwhile: threading.Thread | None = None,
) -> Figures:
    """``load`` is locations a second, and seconds."""
    loop = asyncio.get_running_loop()
    before, empty = target.cpu(), target.memory()
    began = loop.time()
    async with open_connection(target.address, world.seeded.tokens[-1]) as connection:
        dispatcher = LiveDispatcher(connection)
        await dispatcher.pages()
        joined, joined_cpu = loop.time() - began, target.cpu() - before
        watching = asyncio.create_task(dispatcher.watch())
        if meanwhile is not None:
            meanwhile.start()
        before, began_at = target.cpu(), loop.time()
        sent, newest = await asyncio.gather(
            _publish_locations(world, bookings, *load), _publish_statuses(world, bookings, load[1])
        )
        cores = (target.cpu() - before) / (loop.time() - began_at)
        if meanwhile is not None:
            await asyncio.to_thread(meanwhile.join)
        await asyncio.sleep(SETTLE)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return {
            "bookings": len(dispatcher.seqs),
            "pages seconds": joined,
            "pages CPU seconds": joined_cpu,
            "CPU cores": cores,
            "memory MB": (target.memory() - empty) / 1e6,
            "locations sent": sent,
            "locations received": dispatcher.locations,
            "statuses": sum(newest.values()) - len(newest),
            "lost": dispatcher.missing
            + sum(max(0, seq - dispatcher.seqs.get(each, 0)) for each, seq in newest.items()),
            "duplicates": dispatcher.repeated,
        }


async def _publish_locations(world: World, bookings: Sequence[str], rate: float, seconds: float) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.peers.location_publisher", str(rate), str(seconds),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY, env=clean_environment(world.environment),
    )  # fmt: skip
    output, _ = await process.communicate("\n".join(bookings).encode())
    return int(output)


async def _publish_statuses(world: World, bookings: Sequence[str], seconds: float) -> dict[str, int]:
    """Return the newest event of each booking that got one."""
    process = await asyncio.create_subprocess_exec(
        *OUTBOX, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY, env=clean_environment(world.environment)
    )
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdout.readline()
    with psycopg.connect(world.database_url) as database:
        rows = database.execute("SELECT id, seq FROM bookings_booking WHERE notes = 'live'").fetchall()
    newest = {str(row[0]): int(row[1]) for row in rows}
    told: dict[str, int] = {}
    for number in range(int(seconds * STATUSES_PER_SECOND)):
        booking = bookings[number % 100]
        told[booking] = newest[booking] = newest[booking] + 1
        process.stdin.write(f"{booking} {newest[booking]}\n".encode())
        await asyncio.sleep(1 / STATUSES_PER_SECOND)
    process.stdin.close()
    await process.wait()
    return told


SCENARIO = Scenario("live", "One dispatcher watches 10,000 bookings, 2,500 locations a second", (OWN,), measure)
