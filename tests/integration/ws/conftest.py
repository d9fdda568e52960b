"""The stacks and users that all WebSocket tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.actors import Actors
from tests.support.live import Newcomer, Person, live_stacks
from tests.support.postgres import PostgresServer
from tests.support.shapes import SHAPES, with_slow_shapes
from tests.support.shell import Shell
from tests.support.stack import Stack

StackOf = Callable[[str], Stack]


@pytest.fixture(scope="session")
def stack_of(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackOf]:
    """Return the stack of a name; each starts once in the session."""
    with live_stacks(tmp_path_factory.mktemp("live"), postgres_server) as stacks:
        yield stacks


@pytest.fixture(scope="session", params=with_slow_shapes(SHAPES))
def live(request: pytest.FixtureRequest, stack_of: StackOf) -> Stack:
    """The running system in each shape, with the settings of `tests.support.live`."""
    return stack_of(request.param)


@pytest.fixture(scope="session")
def people(live: Stack) -> Iterator[Actors]:
    actors = Actors.of(live)
    yield actors
    actors.close()


@pytest.fixture(scope="session")
def shell(live: Stack) -> Iterator[Shell]:
    """An ordinary process of the live stack."""
    with Shell(live) as running:
        yield running


@pytest.fixture
def newcomer(live: Stack, shell: Shell) -> Iterator[Newcomer]:
    """Creates users that only this test uses: `newcomer("worker")`."""
    made: list[Person] = []

    def make(role: str = "employer", name: str = "") -> Person:
        made.append(Person(live, shell, role, name))
        return made[-1]

    yield make
    for person in made:
        person.close()
