"""PostgreSQL or Redis stays connected and answers nothing, as behind a proxy that hangs or a host that loses packets.

TCP notices neither, because somebody acknowledges its packets. Lost packets end a connection sooner: see
test_silent_database.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import services, web
from tests.support.actors import Actors
from tests.support.clock import steady
from tests.support.eventually import eventually, eventually_async
from tests.support.ports import free_port
from tests.support.postgres import USER, PostgresServer
from tests.support.redis import RedisServer
from tests.support.scene import off_loop
from tests.support.services import HOST, OwnServer
from tests.support.silent_proxy import SilentProxy
from tests.support.sockets import Socket
from tests.support.stack import Stack, base_environment, fresh_postgres

pytestmark = pytest.mark.usefixtures("over_rarely")

ANSWER = 4.0
"""DATABASE_ANSWER_TIMEOUT here."""
REFUSED = ANSWER + 8.0
"""Seconds until a request is answered 503: its statement's limit, or the proof of a connection and a connect."""
RECOVERED = 10.0
"""Seconds until everything works again."""
THREADS = 4


@dataclass
class System:
    """One http process and one ws process, each behind a proxy to PostgreSQL and one to Redis."""

    stack: Stack
    people: Actors
    admin: str
    ws: OwnServer
    database: SilentProxy
    redis: SilentProxy
    booking_id: str

    def report(self, url: str) -> dict[str, Any]:
        answer = web.get(f"{url}/readyz", timeout=30)
        assert answer.status_code == 200, "a silent server takes no process out of service"
        report: dict[str, Any] = answer.json()
        return report

    def database_of_http(self) -> str:
        return str(self.report(self.admin)["dependencies"]["database"])

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
    with ExitStack() as running:
        redis = running.enter_context(RedisServer(directory))
        url = fresh_postgres(postgres_server)
        running.callback(postgres_server.drop_database, url)
        before_postgres = running.enter_context(SilentProxy(postgres_server.port))
        before_redis = running.enter_context(SilentProxy(redis.port))
        port, name = free_port(), url.rpartition("/")[2]
        environment = base_environment(
            DATABASE_URL=f"postgresql://{USER}@{HOST}:{before_postgres.port}/{name}",
            REDIS_URL=f"redis://{HOST}:{before_redis.port}/0",
            DATABASE_ANSWER_TIMEOUT=str(ANSWER),
            WEB_CONCURRENCY="1",
            WEB_THREADS=str(THREADS),
            TRACKING_MIN_INTERVAL="0",
        )
        http = services.gunicorn(directory, {**environment, "HTTP_ADMIN_PORT": str(port)}, "--bind", f"{HOST}:{port}")
        ws = OwnServer(directory, {**environment, "SERVICES": "ws"})
        for process in (http, ws):
            running.callback(process.stop)
            process.launch()
        for process in (http, ws):
            process.wait_ready()
        stack = Stack("distributed", directory, environment, redis=redis, http=[http], ws=[ws])
        people = Actors.of(stack)
        running.callback(people.close)
        booking_id = people.new_booking("on_the_way")
        yield System(stack, people, f"http://{HOST}:{port}", ws, before_postgres, before_redis, booking_id)


@pytest.fixture(autouse=True)
def _same_processes(system: System) -> Iterator[None]:
    before = [process.pid for process in system.stack.processes]
    eventually(system.works, 60, "everything works")
    eventually(lambda: system.database_of_http() == "ok", 60, "readiness says so")
    yield
    for proxy in (system.database, system.redis):
        proxy.speak()
    assert [process.pid for process in system.stack.processes if process.alive] == before


async def test_a_silent_database_is_503_in_time_and_used_again_once_it_answers(system: System) -> None:
    """More requests than threads, so that all of them are held by statements without an answer."""

    async def timed(number: int) -> tuple[int, float]:
        begun = steady()
        answer = await off_loop(system.track if number % 2 else system.post)
        return answer.status_code, steady() - begun

    url = system.stack.booking_url(system.booking_id)
    async with await Socket.connect(url, token=system.people.employer.token) as watcher:
        await watcher.joined()
        system.database.silence()
        answers = await asyncio.gather(*(timed(number) for number in range(THREADS)))
        assert {status for status, _ in answers} == {503}, answers
        assert max(seconds for _, seconds in answers) < REFUSED, answers
        first = await off_loop(system.post)
        assert (first.status_code, first.json()["code"], first.headers["Retry-After"]) == (503, "unavailable", "2")
        assert await off_loop(system.database_of_http) != "ok"
        async with await Socket.connect(url, token=system.people.worker.token) as newcomer:
            assert (await newcomer.next_of("error", REFUSED))["code"] == "unavailable"
        await watcher.synchronized()
        system.database.speak()
        begun = steady()
        await eventually_async(lambda: off_loop(system.works), 60, "REST works again")
        await eventually_async(lambda: off_loop(lambda: system.database_of_http() == "ok"), 60, "readiness says so")
        assert steady() - begun < RECOVERED
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
        begun = steady()
        await off_loop(system.people.worker.status, booking_id, "arrived")
        assert steady() - begun < REFUSED
        newcomer = await running.enter_async_context(await Socket.connect(url, token=system.people.worker.token))
        await newcomer.joined()
        # Nobody was notified: the comparison with the database brings it.
        await watcher.until_seq(5)
        assert (await off_loop(system.report, system.ws.admin_url))["ready"]
        system.redis.speak()
        begun = steady()

        async def live() -> bool:
            await off_loop(system.people.admin.track, booking_id, 28.0, 77.0)
            return all(socket.frames[-1]["type"] == "location_update" for socket in (watcher, newcomer))

        await eventually_async(live, 60, "a location arrives live")
        assert steady() - begun < RECOVERED
