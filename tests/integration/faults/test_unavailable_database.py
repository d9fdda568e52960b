"""PostgreSQL answers, but not as it should: read-only, with terminated connections, or without a free slot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.support import services, web
from tests.support.actors import Actors
from tests.support.clock import steady
from tests.support.eventually import eventually
from tests.support.metrics import Scrape
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.scene import off_loop
from tests.support.services import HOST, OwnServer
from tests.support.sockets import Socket
from tests.support.stack import Stack, base_environment, fresh_postgres, run_python

LIMIT = 10.0
"""Seconds until everything works again."""
SLOTS = 20
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test_%'"


@dataclass
class System:
    """One http process, one ws process with its own server, and a PostgreSQL of their own with few slots."""

    postgres: PostgresServer
    stack: Stack
    people: Actors
    admin: str
    ws: OwnServer
    booking_id: str

    def ready(self, url: str) -> dict[str, Any]:
        answer = web.get(f"{url}/readyz", timeout=30)
        assert answer.status_code == 200, "a lost database takes no process out of service"
        report: dict[str, Any] = answer.json()
        return report

    def reasons(self) -> tuple[str, str]:
        """What http and ws say of their database."""
        return self.ready(self.admin)["dependencies"]["database"], self.ready(self.ws.admin_url)["database"]

    def unwritable(self, problem: str) -> list[float]:
        metric = "hunarmitra_database_unwritable"
        return [Scrape(f"{url}/metrics")(metric, problem=problem) for url in (self.admin, self.ws.admin_url)]

    def writes(self) -> list[httpx.Response]:
        """One request of each kind that writes: Django's view, the path in front of it, and the admin's sign-in."""
        return [
            self.people.employer.send("POST", "bookings/", {"service": "plumbing"}),
            self.people.worker.send("POST", f"tracking/{self.booking_id}/", {"lat": 28.0, "lng": 77.0}),
            self.people.employer.send("POST", "realtime/tickets/", {}),
        ]

    def works(self) -> bool:
        return {answer.status_code for answer in self.writes()} == {200, 201}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    directory: Path = tmp_path_factory.mktemp("unavailable")
    with ExitStack() as running:
        postgres = running.enter_context(PostgresServer(max_connections=str(SLOTS)))
        port = free_port()
        environment = base_environment(
            DATABASE_URL=fresh_postgres(postgres), WEB_CONCURRENCY="1", TRACKING_MIN_INTERVAL="0"
        )
        http = services.gunicorn(directory, {**environment, "HTTP_ADMIN_PORT": str(port)}, "--bind", f"{HOST}:{port}")
        ws = OwnServer(directory, {**environment, "SERVICES": "ws", "RELAY_IN_PROCESS": "1"})
        for process in (http, ws):
            running.callback(process.stop)
            process.launch()
        for process in (http, ws):
            process.wait_ready()
        stack = Stack("distributed", directory, environment, http=[http], ws=[ws])
        people = Actors.of(stack)
        running.callback(people.close)
        booking_id = people.new_booking("on_the_way")
        yield System(postgres, stack, people, f"http://{HOST}:{port}", ws, booking_id)


@pytest.fixture(autouse=True)
def _same_processes(system: System) -> Iterator[None]:
    before = [process.pid for process in system.stack.processes]
    eventually(system.works, 60, "everything works")
    eventually(lambda: system.reasons() == ("ok", "ok"), 60)
    yield
    assert [process.pid for process in system.stack.processes if process.alive] == before


def assert_unavailable(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.slow
@pytest.mark.usefixtures("over_rarely")
async def test_a_server_that_turned_read_only_is_left_and_used_again_once_it_is_writable(system: System) -> None:
    async with await Socket.connect(
        system.stack.booking_url(system.booking_id), token=system.people.worker.token
    ) as worker:
        await worker.joined()
        system.postgres.configure("default_transaction_read_only", "on")
        try:
            for answer in system.writes():
                assert_unavailable(answer)
            admin = await off_loop(
                httpx.get,
                f"{system.stack.base_url}/admin/",
                cookies={"__Host-sessionid": "x" * 32},
                timeout=60,
                trust_env=False,
            )
            assert (admin.status_code, admin.headers["Retry-After"]) == (503, "2")
            await worker.send({"type": "location", "lat": 28.0, "lng": 77.0, "id": "one"})
            refused = await worker.next_of("error")
            assert (refused["code"], refused["id"]) == ("unavailable", "one")
            assert refused["retry_in_ms"] > 0
            reason = "read-only: no server of DATABASE_URL accepts writes"
            eventually(lambda: system.reasons() == (reason, reason), 60, "readiness says why")
            eventually(lambda: system.unwritable("read_only") == [1, 1], 60, "the metric shows it")
            url = system.stack.booking_url(system.booking_id)
            async with await Socket.connect(url, token=system.people.worker.token) as newcomer:
                assert (await newcomer.next_of("error"))["code"] == "unavailable"
        finally:
            system.postgres.configure("default_transaction_read_only", "off")
        begun = steady()
        eventually(system.works, 60, "REST writes again")
        eventually(lambda: system.reasons() == ("ok", "ok"), 60)
        assert steady() - begun < LIMIT
        assert system.unwritable("read_only") == [0, 0]
        await worker.send({"type": "location", "lat": 28.0, "lng": 77.0, "id": "two"})
        assert (await worker.next_of("location_accepted"))["id"] == "two"
        assert worker.is_open


@pytest.mark.usefixtures("over_rarely")
async def test_senders_are_told_that_the_database_hangs_whether_their_location_is_in_the_statement_or_waits(
    system: System,
) -> None:
    people = system.people
    bookings = {name: people.new_booking("on_the_way") for name in ("first", "second")}
    async with AsyncExitStack() as stack:
        sockets = {
            name: await stack.enter_async_context(
                await Socket.connect(system.stack.booking_url(booking), token=people.worker.token)
            )
            for name, booking in bookings.items()
        }
        for socket in sockets.values():
            await socket.joined()
        with system.postgres.paused():
            for name, socket in sockets.items():
                await socket.send({"type": "location", "lat": 28.0, "lng": 77.0, "id": name})
                # The second one waits until the statement with the first has ended.
                await socket.send({"type": "ping"})
                await socket.next_of("pong")
            for name, socket in sockets.items():
                told = await socket.next_of("error")
                assert (told["code"], told["id"]) == ("unavailable", name)
                assert told["retry_in_ms"] > 0
        for socket in sockets.values():
            await socket.send({"type": "location", "lat": 28.1, "lng": 77.0, "id": "again"})
            # Only this one is answered: the sender of the earlier one was told already.
            assert (await socket.next_of("location_accepted"))["id"] == "again"
            assert socket.is_open


def test_connections_that_an_administrator_ended_fail_no_request(system: System) -> None:
    """57P01: the pools keep several connections, and none of them is given to a request afterwards."""
    for _ in range(3):
        system.postgres.execute(TERMINATE)
        begun = steady()
        statuses = [answer.status_code for _ in range(2) for answer in system.writes()]
        assert set(statuses) == {200, 201}, statuses
        assert steady() - begun < LIMIT


def test_a_server_without_a_free_slot_is_503_and_asked_again(system: System) -> None:
    """53300, which PostgreSQL says to a connect."""
    with ExitStack() as occupied:
        first = occupied.enter_context(psycopg.connect(system.postgres.url(), autocommit=True))

        def refused() -> bool:
            """End the application's connections and take their slots, until it has none and gets none."""
            first.execute(TERMINATE.encode())
            try:
                while True:
                    occupied.enter_context(psycopg.connect(system.postgres.url()))
            except psycopg.OperationalError:
                row = first.execute("SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'test_%'").fetchone()
                return row == (0,)

        eventually(refused, 60, "every slot is taken")
        answer = system.people.employer.send("POST", "realtime/tickets/", {})
        assert_unavailable(answer)
        reason = "too many connections: the server has no free slot"
        eventually(lambda: system.ready(system.admin)["dependencies"]["database"] == reason, 60)
        assert system.unwritable("no_slot")[0] == 1
    begun = steady()
    eventually(system.works, 60, "REST works again")
    assert steady() - begun < LIMIT
    eventually(lambda: system.reasons() == ("ok", "ok"), 60)


def test_a_management_command_ends_with_a_sentence(system: System) -> None:
    environment = system.stack.environment | {"DATABASE_URL": f"postgresql://u@127.0.0.1:{free_port()}/name"}
    sentence = "error: the database is unavailable (OperationalError: couldn't get a connection after 5.00 sec)"
    with pytest.raises(AssertionError, match=re.escape(sentence)) as raised:
        run_python(environment, "manage.py", "prune")
    assert "ended with 1:" in str(raised.value)
    assert "Traceback" not in str(raised.value)
