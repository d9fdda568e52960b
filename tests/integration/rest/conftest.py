"""Fixtures of the REST tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.support import services
from tests.support.api import Api
from tests.support.shell import Shell
from tests.support.stack import Stack, base_environment, fresh_sqlite


@pytest.fixture
def nobody(stack: Stack) -> Iterator[Api]:
    """A client that has not signed in."""
    with closing(Api(stack.base_url)) as api:
        yield api


@pytest.fixture(scope="session")
def shell(stack: Stack) -> Iterator[Shell]:
    """A process of the shared stack that calls the domain's functions."""
    with Shell(stack, SERVICES="http") as running:
        yield running


@contextmanager
def http_processes(directory: Path, variables: Mapping[str, str], *, count: int = 1) -> Iterator[Stack]:
    """Run only gunicorn with these environment variables, on a migrated SQLite database unless they name another."""
    environment = base_environment(WEB_CONCURRENCY="1", SERVICES="http") | dict(variables)
    if "DATABASE_URL" not in variables:
        environment["DATABASE_URL"] = fresh_sqlite(directory)
    stack = Stack("embedded", directory, environment)
    with ExitStack() as running:
        for number in range(count):
            process = services.gunicorn(directory, environment, name=f"http{number}")
            stack.http.append(process)
            running.callback(process.stop)
            process.launch()
        for process in stack.http:
            process.wait_ready()
        yield stack
