"""Real processes under a small real load: every query returns data, and a fault raises its own page and no other.

Windows are a thirtieth of production's. Nothing sleeps: each step awaits what Prometheus or Alertmanager says.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import psycopg
import pytest
from websockets.asyncio.client import connect

from hunarmitra.telemetry.catalogue import CATALOGUE
from tests.observability.live import MOST_SOCKETS, PARAMETERS, Observed, observed
from tests.observability.queries import of_panels, of_rules, selectors
from tests.support.eventually import eventually_async
from tests.support.postgres import PostgresServer
from tests.support.scene import off_loop
from tests.support.stack import call_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FIRES, CLEARS = 120.0, 180.0
"""Seconds, on a busy machine; most take a few."""


def commit_burst(bookings: list[str]) -> None:
    """Commit more than a client's buffers hold, in portions that are published at once, so that none is late."""
    import django

    django.setup()
    from django.db import connection, transaction

    from hunarmitra.outbox.relay import relay_once

    for booking in bookings * 10:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE bookings_booking SET seq = seq + 40 WHERE id = %s RETURNING seq, status", [booking])
            newest, status = cursor.fetchone()
            cursor.execute(
                "INSERT INTO bookings_bookingevent"
                " (booking_id, seq, event_type, status, actor, clears_location, created_at)"
                " SELECT %s, seq, 'booking_assigned', %s, repeat('अ', 120), false, now()"
                " FROM generate_series(%s::bigint, %s::bigint) seq",
                [booking, status, newest - 39, newest],
            )
        while relay_once(older_than_seconds=0):
            pass


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Observed]:
    with observed(tmp_path_factory.mktemp("observed"), postgres_server) as running:
        yield running


@asynccontextmanager
async def load(system: Observed) -> AsyncIterator[str]:
    """A booking that is handed to and fro and a position each time, watched on both pods."""
    scene = system.scene
    booking = await scene.new_booking()
    async with AsyncExitStack() as stack:
        for pod in (0, 1):
            watcher = await stack.enter_async_context(await scene.watch(booking, pod=pod))
            await watcher.joined()
        working = asyncio.create_task(_work(system, booking))
        try:
            yield booking
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


async def _work(system: Observed, booking: str) -> None:
    actors = system.scene.actors
    turn = 0
    while True:
        worker = (actors.other_worker, actors.worker)[turn % 2]
        turn += 1
        await off_loop(actors.admin.assign, booking, worker.id)
        await off_loop(worker.track, booking, 10 + turn / 1000, 77.0)
        await asyncio.sleep(0.5)


class Seen:
    """What Alertmanager has told since the fault began: who was woken, and for what."""

    def __init__(self, system: Observed) -> None:
        self._system = system
        self._before = len(system.pager.told)

    @property
    def pages(self) -> set[str]:
        """Without budgets: on a machine that is too busy events are late indeed. promtool judges those."""
        return {name for name in self._woken() if "BudgetBurn" not in name}

    @property
    def late_events(self) -> set[str]:
        """Pages for the budgets of events, which their causes have to silence."""
        return {name for name in self._woken() if name.startswith(("HunarMitraEventLatency", "HunarMitraEventLoss"))}

    def _woken(self) -> set[str]:
        return {name for name, severity in self._system.pager.told[self._before :] if severity == "critical"}

    async def until(self, name: str, *, suppressed: str = "") -> None:
        async def there() -> bool:
            told = {name for name, _ in self._system.pager.told[self._before :]}
            silent = await off_loop(self._system.alertmanager.suppressed)
            return name in told and (not suppressed or suppressed in silent)

        await eventually_async(there, FIRES, f"{name} is told, and {suppressed or 'nothing'} suppressed", interval=0.5)

    async def until_quiet(self, name: str) -> None:
        """Until it no longer fires, and no page is left."""

        async def gone() -> bool:
            firing = await off_loop(self._system.prometheus.firing)
            pages = {each for each, alert in firing.items() if alert["labels"]["severity"] == "critical"}
            return name not in firing and not pages

        await eventually_async(gone, CLEARS, f"{name} clears", interval=0.5)


async def test_every_query_of_every_rule_and_panel_returns_data(system: Observed) -> None:
    queries = [*of_panels()]
    for where, expr in of_rules(PARAMETERS):
        # An alert that does not fire returns nothing by design: what it reads has to be there.
        queries += [(where, _selector(name, matchers)) for name, matchers in selectors(expr) if name != "ALERTS"]
    async with load(system):
        missing = sorted(set(queries))
        rates = "rate(hunarmitra_ws_deliveries_total[1m]) and on () hunarmitra:slo_errors:ratio_rate3d"
        await eventually_async(lambda: off_loop(system.prometheus.query, rates), 90, "two scrapes", interval=1)

        async def complete() -> bool:
            nonlocal missing
            missing = [each for each in missing if not await off_loop(system.prometheus.query, each[1])]
            assert not missing, "\n".join(f"{where}: {expr}" for where, expr in missing)
            return True

        await eventually_async(complete, 120, "every query returns data", interval=1)
        families = {name for metric in CATALOGUE for name in metric.sample_names()}
        present = {
            each["metric"]["__name__"]
            for each in await off_loop(system.prometheus.query, '{__name__=~"hunarmitra_.+"}')
        }
        assert families <= present, f"in the catalogue, and not emitted: {families - present}"


def _selector(name: str, matchers: object) -> str:
    assert isinstance(matchers, dict)
    return name + "{" + ", ".join(f'{label}=~"{"|".join(values)}"' for label, values in matchers.items()) + "}"


async def test_redis_stopped_pages_once(system: Observed) -> None:
    seen = Seen(system)
    async with load(system):
        system.redis.stop()
        try:
            await seen.until("HunarMitraRedisAway")
            # Long enough for a pod's own alert: its age, two evaluations, and Alertmanager's wait.
            silence = "min(time() - hunarmitra_ws_subscriber_heard_timestamp_seconds) > 12"
            await eventually_async(lambda: off_loop(system.prometheus.query, silence), FIRES, "every pod is deaf")
            assert "HunarMitraSubscriberDeaf" not in await off_loop(system.prometheus.firing)
        finally:
            await off_loop(system.redis.start)
        await seen.until_quiet("HunarMitraRedisAway")
    assert seen.pages == {"HunarMitraRedisAway"}
    assert not seen.late_events


async def test_a_deaf_process_pages_for_itself(system: Observed) -> None:
    seen = Seen(system)
    async with load(system):
        system.proxy.frozen = True
        system.proxy.deafen()
        try:
            await seen.until("HunarMitraSubscriberDeaf")
            alert = (await off_loop(system.prometheus.firing))["HunarMitraSubscriberDeaf"]
            assert alert["labels"]["pod"] == "ws-0"
            assert "ws-0" in alert["annotations"]["summary"]
            assert "error" not in str(alert["annotations"])
        finally:
            system.proxy.frozen = False
        await seen.until_quiet("HunarMitraSubscriberDeaf")
    assert seen.pages == {"HunarMitraSubscriberDeaf"}
    assert not seen.late_events


async def test_a_blocked_outbox_pages(system: Observed) -> None:
    """Another transaction holds a row that is not published, and the relay passes over it."""
    seen = Seen(system)
    scene = system.scene
    booking = await scene.new_booking()
    url = scene.stack.environment["DATABASE_URL"]
    with psycopg.connect(url) as forgotten:

        async def held() -> bool:
            """The relay may take the row in between: then once more."""
            await off_loop(scene.insert_events, booking, 1)
            rows = forgotten.execute(
                "SELECT id FROM bookings_bookingevent WHERE booking_id = %s AND published_at IS NULL FOR UPDATE",
                [booking],
            ).fetchall()
            if not rows:
                forgotten.rollback()
            return bool(rows)

        await eventually_async(held, 60, "a transaction holds the row")
        await seen.until("HunarMitraOutboxStuck")
        forgotten.rollback()
    await seen.until_quiet("HunarMitraOutboxStuck")
    assert seen.pages == {"HunarMitraOutboxStuck"}


async def test_slow_clients_are_told_of_and_wake_nobody(system: Observed) -> None:
    seen = Seen(system)
    scene = system.scene
    bookings = [await scene.new_booking() for _ in range(6)]
    async with AsyncExitStack() as stack:
        for booking in bookings:
            plain = socket.socket()
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            plain.connect(("127.0.0.1", scene.stack.ws[0].port))
            plain.setblocking(False)
            url = f"{scene.stack.booking_url(booking)}?token={scene.actors.employer.token}"
            client = await stack.enter_async_context(
                connect(
                    url, sock=plain, compression=None, max_queue=1, ping_interval=None, close_timeout=0.1, proxy=None
                )
            )
            await client.recv()
            client.transport.pause_reading()
        await off_loop(call_in, scene.stack.environment, commit_burst, bookings=bookings)
        await seen.until("HunarMitraSlowClients")
    await seen.until_quiet("HunarMitraSlowClients")
    assert not seen.pages


async def test_a_full_pod_is_told_of_and_wakes_nobody_while_others_have_room(system: Observed) -> None:
    seen = Seen(system)
    scene = system.scene
    booking = await scene.new_booking()
    async with AsyncExitStack() as stack:
        for _ in range(MOST_SOCKETS):
            watcher = await stack.enter_async_context(await scene.watch(booking, pod=1))
            await watcher.joined()
        await seen.until("HunarMitraPodAtCap")
        assert (await off_loop(system.prometheus.firing))["HunarMitraPodAtCap"]["labels"]["pod"] == "ws-1"
    await seen.until_quiet("HunarMitraPodAtCap")
    assert not seen.pages


async def test_a_full_fleet_pages_once(system: Observed) -> None:
    seen = Seen(system)
    scene = system.scene
    booking = await scene.new_booking()
    async with AsyncExitStack() as stack:
        for pod in (0, 1):
            for _ in range(MOST_SOCKETS):
                watcher = await stack.enter_async_context(await scene.watch(booking, pod=pod))
                await watcher.joined()
        await seen.until("HunarMitraFleetFull", suppressed="HunarMitraPodAtCap")
    await seen.until_quiet("HunarMitraFleetFull")
    assert seen.pages == {"HunarMitraFleetFull"}
