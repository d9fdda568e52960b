"""PostgreSQL or Redis away: what clients and probes see, and that it passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.rest.conftest import http_processes
from tests.integration.rest.proxy import CuttableProxy
from tests.support import web
from tests.support.actors import Actors
from tests.support.clock import steady
from tests.support.eventually import eventually
from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer
from tests.support.stack import Stack, fresh_postgres


@dataclass
class Surroundings:
    stack: Stack
    people: Actors
    postgres: CuttableProxy
    redis: CuttableProxy

    def ready(self) -> tuple[int, dict[str, str]]:
        answer = web.get(f"{self.stack.base_url}/readyz", timeout=30)
        dependencies: dict[str, str] = answer.json()["dependencies"]
        return answer.status_code, dependencies


@pytest.fixture(scope="module")
def surroundings(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    directory: Path = tmp_path_factory.mktemp("outages")
    with ExitStack() as running:
        database_url = fresh_postgres(postgres_server)
        running.callback(postgres_server.drop_database, database_url)
        redis = running.enter_context(RedisServer(directory))
        to_postgres = running.enter_context(CuttableProxy(database_url))
        to_redis = running.enter_context(CuttableProxy(redis.url))
        stack = running.enter_context(
            http_processes(directory, {"DATABASE_URL": to_postgres.url, "REDIS_URL": to_redis.url})
        )
        people = Actors.of(stack)
        running.callback(people.close)
        yield Surroundings(stack, people, to_postgres, to_redis)


@pytest.mark.slow
def test_a_lost_database_is_503_for_clients_and_takes_no_pod_out_of_service(surroundings: Surroundings) -> None:
    booking_id = surroundings.people.new_booking()
    everything_answers = {"database": "ok", "redis": "ok"}
    assert surroundings.ready() == (200, everything_answers)

    surroundings.postgres.cut()
    answer = surroundings.people.employer.send("GET", f"bookings/{booking_id}/")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    posted = surroundings.people.worker.send("POST", f"tracking/{booking_id}/", {"lat": 1, "lng": 1})
    assert posted.status_code == 503

    def reported() -> bool:
        begun = steady()
        status, dependencies = surroundings.ready()
        assert steady() - begun < 2, "a probe is answered while the database is not"
        assert status == 200
        return dependencies["database"] != "ok"

    eventually(reported, 30)
    assert web.get(f"{surroundings.stack.base_url}/livez", timeout=30).status_code == 200

    surroundings.postgres.mend()
    eventually(lambda: surroundings.people.employer.send("GET", f"bookings/{booking_id}/").status_code == 200, 60)
    assert surroundings.people.employer.events(booking_id)["seq"] == 3
    eventually(lambda: surroundings.ready() == (200, everything_answers), 30)


@pytest.mark.slow
def test_without_redis_everything_is_answered_nearly_as_fast(surroundings: Surroundings) -> None:
    booking_id = surroundings.people.new_booking()
    surroundings.redis.cut()
    begun = steady()
    assert surroundings.people.worker.status(booking_id, "on_the_way")["seq"] == 4
    surroundings.people.worker.track(booking_id, 28.6, 77.2)
    assert surroundings.people.employer.booking(booking_id)["status"] == "on_the_way"
    assert steady() - begun < 3
    eventually(lambda: surroundings.ready()[1]["redis"] != "ok", 30)
    assert surroundings.ready()[0] == 200
    surroundings.redis.mend()
    eventually(lambda: surroundings.ready()[1]["redis"] == "ok", 30)
