"""Fixtures for every test: real servers, started when first asked for, gone at the end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer


def pytest_configure() -> None:
    """End on SIGTERM as on Ctrl-C: the fixtures are torn down and no server is left behind."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's PostgreSQL; `create_database()` gives each module its own database."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of this test's own, which it may kill and restart."""
    with RedisServer(tmp_path) as server:
        yield server
