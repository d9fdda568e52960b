"""The primary fails and its replica is promoted: every process goes on with the new primary, without a restart."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.actors import Actors
from tests.support.clock import steady
from tests.support.eventually import eventually, eventually_async
from tests.support.postgres import USER, PostgresServer, Replica
from tests.support.scene import off_loop, scene
from tests.support.sockets import Socket
from tests.support.stack import fresh_postgres

pytestmark = pytest.mark.usefixtures("over_rarely")

logger = logging.getLogger(__name__)

LIMIT = 10.0
"""Seconds after the promotion until everything works again."""


@dataclass
class Pair:
    """A primary and its replica. A commit waits for the replica, so that what is acknowledged survives."""

    primary: PostgresServer
    replica: Replica
    name: str

    @property
    def url(self) -> str:
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.replica.port}"
        return f"postgresql://{USER}@{hosts}/{self.name}?target_session_attrs=read-write"


@pytest.fixture
def pair() -> Iterator[Pair]:
    with PostgresServer(synchronous_commit="on") as primary:
        name = fresh_postgres(primary).rpartition("/")[2]
        with Replica(primary) as replica:
            primary.configure("synchronous_standby_names", "replica")
            streams = "SELECT sync_state FROM pg_stat_replication"
            eventually(lambda: primary.execute(streams) == [("sync",)], 60, "the replica follows")
            yield Pair(primary, replica, name)


@dataclass
class Writer:
    """An employer who orders until told to stop, and keeps what was acknowledged and what else was answered."""

    people: Actors
    acknowledged: list[str] = field(default_factory=list)
    refused: list[httpx.Response] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._stop.is_set():
            answer = self.people.employer.send("POST", "bookings/", {"service": "plumbing"})
            if answer.status_code == 201:
                self.acknowledged.append(answer.json()["id"])
            else:
                self.refused.append(answer)


@pytest.mark.slow
@pytest.mark.parametrize("failure", ["killed", "read-only"])
async def test_everything_goes_on_with_the_promoted_replica(tmp_path: Path, pair: Pair, failure: str) -> None:
    with scene(tmp_path, pair.primary, database_url=pair.url) as system:
        actors, stack = system.actors, system.stack
        booking_id = await system.new_booking("confirmed")
        relayed_id = await system.new_booking("confirmed")  # for an event that only the relay can publish
        processes = {process.name: process.pid for process in stack.processes}
        async with AsyncExitStack() as running:
            sockets: list[Socket] = []
            for pod in (0, 1):
                sockets.append(await running.enter_async_context(await system.watch(booking_id, pod=pod)))
                url = stack.notifications_url(pod)
                sockets.append(
                    await running.enter_async_context(await Socket.connect(url, token=actors.employer.token))
                )
            for socket in sockets:
                await socket.joined()
            starts = [socket.frames[0]["seq"] for socket in sockets]
            writer = running.enter_context(Writer(actors))
            await eventually_async(lambda: len(writer.acknowledged) > 5, 60, "bookings are made")

            system.faults.arm("committed, not published", "raise")
            await off_loop(actors.worker.status, relayed_id, "on_the_way")
            if failure == "killed":
                await off_loop(pair.primary.crash)
            else:
                await off_loop(pair.primary.configure, "default_transaction_read_only", "on")
            await eventually_async(lambda: writer.refused, 60, "the failure is seen")
            begun = steady()
            await off_loop(pair.replica.promote)
            promoted = steady()

            async def changed() -> bool:
                path, body = f"bookings/{booking_id}/status/", {"status": "on_the_way"}
                return (await off_loop(actors.worker.send, "PATCH", path, body)).status_code == 200

            await eventually_async(changed, 60, "a status changes")
            rest = steady() - promoted
            # The booking's socket gets one event, the notifications' one for each booking.
            expected = [
                [start + 1] if number % 2 == 0 else [start + 1, start + 2] for number, start in enumerate(starts)
            ]
            for socket, seqs in zip(sockets, expected, strict=True):
                await socket.until_seq(seqs[-1])
            live = steady() - promoted
            assert [socket.seqs() for socket in sockets] == expected
            for pod in (0, 1):

                async def joins(pod: int = pod) -> bool:
                    async with await system.watch(booking_id, pod=pod) as newcomer:
                        return bool((await newcomer.joined())["type"] == "connection_established")

                await eventually_async(joins, 60, "a client joins")
            joined = steady() - promoted
            await eventually_async(lambda: not system.unpublished(relayed_id), 60, "the relay publishes")
            relayed = steady() - promoted
            known = len(writer.acknowledged)
            await eventually_async(lambda: len(writer.acknowledged) > known, 60, "bookings are made again")
        logger.info(
            "%s: promoted in %.1f s; after it REST %.1f s, sockets %.1f s, joins %.1f s, relay %.1f s, "
            "%d bookings refused",
            failure,
            promoted - begun,
            rest,
            live,
            joined,
            relayed,
            len(writer.refused),
        )
        assert max(rest, live, joined, relayed) < LIMIT
        assert {process.name: process.pid for process in stack.processes if process.alive} == processes
        assert {answer.status_code for answer in writer.refused} == {503}
        assert all(answer.headers["Retry-After"] == "2" for answer in writer.refused)
        with psycopg.connect(pair.replica.url(pair.name)) as connection:
            stored = {str(row[0]) for row in connection.execute("SELECT id FROM bookings_booking").fetchall()}
        assert set(writer.acknowledged) - stored == set(), "an acknowledged booking is lost"
