"""`manage.py relay`: what a crash or an absent Redis left behind reaches the watchers after all."""

from __future__ import annotations

import json
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import msgpack
import psycopg
import pytest
from psycopg import sql

from tests.support import services, web
from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.processes import Process
from tests.support.redis import RedisServer
from tests.support.stack import base_environment, call_in, fresh_postgres, fresh_sqlite, run_python


def book(environment: dict[str, str], **variables: str) -> str:
    """A confirmed booking (seq 1 to 3) with its notifications, written by a short-lived process; its id."""
    printed = json.loads(run_python({**environment, **variables}, "manage.py", "demo", "--json"))
    return str(printed["booking_id"])


class Listener:
    """Hears what is published to a booking's group."""

    def __init__(self, redis: RedisServer, booking_id: str) -> None:
        self.client = redis.client()
        self.subscription = self.client.pubsub(ignore_subscribe_messages=True)
        self.subscription.subscribe(f"asgi__group__booking.{booking_id}")
        self.subscription.get_message(timeout=5)
        self.heard: list[dict[str, Any]] = []

    def seqs(self) -> list[int]:
        while message := self.subscription.get_message(timeout=0.05):
            self.heard.append(msgpack.unpackb(message["data"]))
        return [message["seq"] for message in self.heard]

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *exception: object) -> None:
        self.subscription.close()
        self.client.close()


def _has_logged(process: Process, line: str) -> bool:
    return line in process.log_text()


NOT_THERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def environment(tmp_path: Path, redis_server: RedisServer) -> dict[str, str]:
    return base_environment(
        DEMO="1",
        DATABASE_URL=fresh_sqlite(tmp_path),
        REDIS_URL=redis_server.url,
        RELAY_AFTER="0.1",
        RELAY_INTERVAL="0.1",
    )


def test_once_publishes_what_is_there_in_order_and_nothing_twice(
    environment: dict[str, str], redis_server: RedisServer
) -> None:
    booking_id = book(environment, REDIS_URL=NOT_THERE)
    with Listener(redis_server, booking_id) as listener:
        # 3 events of the booking; each of them but the first tells two people besides its actor.
        assert run_python(environment, "manage.py", "relay", "--once") == "7 published\n"
        assert listener.seqs() == [1, 2, 3]
        frame = json.loads(listener.heard[0]["frame"])
        assert (frame["event_type"], frame["booking_id"]) == ("booking_requested", booking_id)
        assert run_python(environment, "manage.py", "relay", "--once") == "0 published\n"
        assert listener.seqs() == [1, 2, 3]


@pytest.mark.slow
def test_it_waits_for_redis_and_ends_on_sigterm(
    tmp_path: Path, environment: dict[str, str], redis_server: RedisServer
) -> None:
    redis_server.kill()
    book(environment)
    port = free_port()
    with services.relay(tmp_path, {**environment, "METRICS_PORT": str(port)}) as relay:
        eventually(lambda: "cannot publish to Redis" in relay.log_text(), 90, "the relay has tried")
        assert web.get(f"http://127.0.0.1:{port}/livez").text == "ok\n", "no restart would bring Redis back"
        assert "outbox" in web.get(f"http://127.0.0.1:{port}/metrics").text
        redis_server.start()
        eventually(lambda: call_in(environment, count_unpublished) == 0, 90, "everything is published")
        assert relay.terminate() == 0


def count_unpublished() -> int:
    import django

    django.setup()
    from hunarmitra.outbox.models import outbox_models

    return sum(model._default_manager.filter(published_at=None).count() for model in outbox_models())


def test_without_redis_it_says_who_relays_instead(tmp_path: Path, environment: dict[str, str]) -> None:
    without = {name: value for name, value in environment.items() if name != "REDIS_URL"}
    process = Process([sys.executable, "manage.py", "relay"], log_path=tmp_path / "r.log", environment=without).start()
    assert process.wait(90) == 1
    assert "REDIS_URL is not set" in process.log_text()
    assert "Traceback" not in process.log_text()


def test_it_ends_on_sighup_with_a_line_and_not_on_user_signals(
    tmp_path: Path, environment: dict[str, str], redis_server: RedisServer
) -> None:
    booking_id = book(environment, REDIS_URL=NOT_THERE)
    with Listener(redis_server, booking_id) as listener, services.relay(tmp_path, environment) as relay:
        eventually(lambda: listener.seqs() == [1, 2, 3], 90, "it runs")
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            relay.signal(number)
            eventually(partial(_has_logged, relay, f"{number.name}: running"), 30, number.name)
        relay.signal(signal.SIGHUP)
        assert relay.wait() == 0
        assert "SIGHUP: stopping" in relay.log_text()


@pytest.mark.slow
def test_it_survives_a_lost_database(
    tmp_path: Path, environment: dict[str, str], redis_server: RedisServer, postgres_server: PostgresServer
) -> None:
    environment["DATABASE_URL"] = url = fresh_postgres(postgres_server)
    name = url.rpartition("/")[2]

    def let_in(allowed: bool) -> None:
        statement = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
        with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.SQL(str(allowed))))
            if not allowed:
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    booking_id = book(environment, REDIS_URL=NOT_THERE)
    let_in(False)
    with services.relay(tmp_path, environment) as relay, Listener(redis_server, booking_id) as listener:
        eventually(lambda: "the relay cannot read the outbox" in relay.log_text(), 90, "the loss is told")
        let_in(True)
        eventually(lambda: listener.seqs() == [1, 2, 3], 90, "the events arrive")
        eventually(lambda: "the relay reads the outbox again" in relay.log_text(), 90, "the recovery is told")
        let_in(False)
        eventually(lambda: relay.log_text().count("the relay cannot read the outbox") > 1, 90, "lost again")
        assert relay.terminate() == 0, "while it waits"
