"""PostgreSQL or Redis stays connected and answers nothing, as behind a proxy that hangs or a host that loses packets.

TCP notices neither, because somebody acknowledges its packets. Lost packets end a connection sooner: see
test_silent_database.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.eventually import eventually_async
from tests.support.postgres import USER, PostgresServer
from tests.support.redis import RedisServer
from tests.support.scene import off_loop
from tests.support.services import HOST
from tests.support.silent_proxy import SilentProxy
from tests.support.sockets import Socket
from tests.support.stack import WITHOUT_PATIENCE, base_environment, fresh_postgres
from tests.support.watched import Watched, watched

pytestmark = pytest.mark.usefixtures("over_rarely")

ANSWER = 4.0
"""DATABASE_ANSWER_TIMEOUT here."""
THREADS = 4


@dataclass
class System(Watched):
    """Each process is behind a proxy to PostgreSQL and one to Redis."""

    database: SilentProxy
    redis: SilentProxy

    def post(self) -> httpx.Response:
        return self.people.employer.send("POST", "realtime/tickets/", {}, timeout=60)

    def track(self) -> httpx.Response:
        """Answered in front of Django, with a connection that the thread keeps."""
        return self.people.worker.send("POST", f"tracking/{self.booking_id}/", {"lat": 28.0, "lng": 77.0}, timeout=60)

    def works(self) -> bool:
        return {answer.status_code for answer in (self.post(), self.track())} <= {200, 201}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[System]:
    directory: Path = tmp_path_factory.mktemp("silent")
    url = fresh_postgres(postgres_server)
    with (
        RedisServer(directory) as redis,
        SilentProxy(postgres_server.port) as before_postgres,
        SilentProxy(redis.port) as before_redis,
    ):
        environment = base_environment(
            **WITHOUT_PATIENCE,
            DATABASE_URL=f"postgresql://{USER}@{HOST}:{before_postgres.port}/{url.rpartition('/')[2]}",
            REDIS_URL=f"redis://{HOST}:{before_redis.port}/0",
            DATABASE_ANSWER_TIMEOUT=str(ANSWER),
            WEB_CONCURRENCY="1",
            WEB_THREADS=str(THREADS),
            TRACKING_MIN_INTERVAL="0",
        )
        with watched(directory, environment) as running:
            yield System(**vars(running), database=before_postgres, redis=before_redis)
    postgres_server.drop_database(url)


@pytest.fixture(autouse=True)
def _same_processes(system: System) -> Iterator[None]:
    with system.same_processes():
        yield
        for proxy in (system.database, system.redis):
            proxy.speak()


async def test_a_silent_database_is_503_while_it_is_silent_and_used_again_once_it_answers(system: System) -> None:
    """As many requests as threads, so that all of them are held by statements without an answer."""
    url = system.stack.booking_url(system.booking_id)
    async with await Socket.connect(url, token=system.people.employer.token) as watcher:
        await watcher.joined()
        system.database.silence()
        held = [system.track if number % 2 else system.post for number in range(THREADS)]
        answers = await asyncio.gather(*map(off_loop, held))
        assert {answer.status_code for answer in answers} == {503}, answers
        first = await off_loop(system.post)
        assert (first.status_code, first.json()["code"], first.headers["Retry-After"]) == (503, "unavailable", "2")
        assert await off_loop(system.database_of_http) != "ok"
        async with await Socket.connect(url, token=system.people.worker.token) as newcomer:
            assert (await newcomer.next_of("error", 60))["code"] == "unavailable"
        await watcher.synchronized()
        system.database.speak()
        await eventually_async(lambda: off_loop(system.works), message="REST works again")
        await eventually_async(lambda: off_loop(lambda: system.database_of_http() == "ok"), message="readiness says so")
        async with await Socket.connect(url, token=system.people.worker.token) as newcomer:
            await newcomer.joined()
        await off_loop(system.people.worker.status, system.booking_id, "arrived")
        await watcher.until_seq(5)
        assert watcher.is_open


async def test_a_silent_redis_delays_no_request_and_no_event_is_lost(system: System) -> None:
    booking_id = await off_loop(system.people.new_booking, "on_the_way")
    url = system.stack.booking_url(booking_id)
    async with AsyncExitStack() as running:
        watcher = await running.enter_async_context(await Socket.connect(url, token=system.people.employer.token))
        await watcher.joined()
        system.redis.silence()
        await off_loop(system.people.worker.status, booking_id, "arrived")
        newcomer = await running.enter_async_context(await Socket.connect(url, token=system.people.worker.token))
        await newcomer.joined()
        # Nobody was notified: the comparison with the database brings it.
        await watcher.until_seq(5)
        assert (await off_loop(system.readiness, system.ws.admin_url))["ready"]
        system.redis.speak()

        async def live() -> bool:
            await off_loop(system.people.admin.track, booking_id, 28.0, 77.0)
            return all(socket.frames[-1]["type"] == "location_update" for socket in (watcher, newcomer))

        await eventually_async(live, message="a location arrives live")
