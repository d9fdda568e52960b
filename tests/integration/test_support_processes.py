"""The servers that the other tests rely on: they start, die, come back, and are gone at the end."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import psycopg
import pytest

from tests.support import tools
from tests.support.eventually import eventually, eventually_async
from tests.support.ports import accepts_connections, free_port
from tests.support.postgres import PostgresServer
from tests.support.processes import Process, ProcessFailedError
from tests.support.redis import RedisServer, SentinelCluster


def test_a_killed_redis_comes_back_empty_on_the_same_port(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        with server.client() as client:
            client.set("key", "value")
        server.kill()
        assert not accepts_connections(server.port)
        server.start()
        with server.client() as client:
            assert client.get("key") is None
    assert not accepts_connections(server.port)


def test_a_paused_redis_answers_nothing_until_it_is_resumed(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        server.pause()
        assert not server.ready()
        server.resume()
        eventually(server.ready, 30, "redis answers again")


@pytest.mark.slow
def test_sentinels_promote_the_replica_when_the_primary_is_killed(tmp_path: Path) -> None:
    with SentinelCluster(tmp_path) as cluster:
        assert cluster.primary_port() == cluster.primary.port
        cluster.kill_primary()
        assert cluster.wait_for_failover() == cluster.replica.port


def test_postgres_gives_fresh_databases_from_a_template_filled_once(postgres_server: PostgresServer) -> None:
    filled: list[str] = []

    def fill(url: str) -> None:
        filled.append(url)
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE thing (name text)")

    url = ""
    for _ in range(2):
        url = postgres_server.create_database(postgres_server.template_database("support-test", fill))
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM thing").fetchone() == (0,)
            connection.execute("INSERT INTO thing VALUES ('x')")
    assert len(filled) == 1
    postgres_server.drop_database(url)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_a_process_that_dies_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    process = Process(
        [sys.executable, "-c", "print('cannot serve'); raise SystemExit(3)"],
        log_path=tmp_path / "broken.log",
        ready=lambda: False,
    )
    with pytest.raises(ProcessFailedError, match=r"(?s)broken ended with code 3.*cannot serve"):
        process.start()


def test_stopping_ends_the_whole_group_even_what_ignores_sigterm(tmp_path: Path) -> None:
    port = free_port()
    child = (
        "import signal, socket; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"server = socket.create_server(('127.0.0.1', {port})); signal.pause()"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with Process(
        [sys.executable, "-c", parent],
        log_path=tmp_path / "parent.log",
        ready=lambda: accepts_connections(port),
    ) as process:
        process.signal(signal.SIGTERM)
        eventually(lambda: not process.alive, 30, "the parent ended")
        assert accepts_connections(port)
    eventually(lambda: not accepts_connections(port), 30, "the child ended")


def test_ports_are_given_once() -> None:
    assert len({free_port() for _ in range(20)}) == 20


def test_wscat_is_the_real_one() -> None:
    assert tools.wscat().exists()


async def test_eventually_returns_the_value_or_says_what_it_last_saw() -> None:
    values = iter([0, 0, 7])
    assert eventually(lambda: next(values), 1, interval=0) == 7
    with pytest.raises(AssertionError, match=r"the answer: not within 0.05 s; last seen: \[\]"):
        await eventually_async(list, 0.05, "the answer")
