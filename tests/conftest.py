"""Fixtures for all tests: real servers, started at their first use, stopped at the end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.shapes import SHAPES, with_slow_shapes

if TYPE_CHECKING:
    from tests.support.actors import Actors
    from tests.support.postgres import PostgresServer
    from tests.support.redis import RedisServer
    from tests.support.side_by_side import ByFileAndShape
    from tests.support.stack import Stack

# Servers and Hypothesis are imported only for tests that use them: a unit test starts in half of the time.


def pytest_configure() -> None:
    """End on SIGTERM as on Ctrl-C, so that fixtures are torn down and all servers stop."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    # A shell makes background processes ignore SIGINT, and programs that a test interrupts would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Load the profile of Hypothesis before the import of a module that uses it."""
    if isinstance(collector, pytest.Module) and "hypothesis" in collector.path.read_text():
        import tests.support.generated_examples  # noqa: F401 - loads the profile


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Unregister the plugin of Hypothesis if no test used it: its summary would import Hypothesis."""
    plugins = session.config.pluginmanager
    if "hypothesis" not in sys.modules and (plugin := plugins.get_plugin("hypothesispytest")) is not None:
        plugins.unregister(plugin)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFileAndShape:
    from tests.support.side_by_side import ByFileAndShape

    return ByFileAndShape(config, log)


@pytest.hookimpl(trylast=True, specname="pytest_collection_modifyitems")
def pytest_order_items(config: pytest.Config, items: list[pytest.Item]) -> None:
    """After pytest has put the tests of each shape together."""
    if hasattr(config, "workerinput"):
        from tests.support.side_by_side import long_ones_first

        long_ones_first(items)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The second endpoint on the second shape repeats what both show alone, and so do tests of either shape."""
    for item in items:
        parameters = getattr(item, "callspec", None) and item.callspec.params.values()  # type: ignore[attr-defined]
        if not parameters or "embedded" not in parameters:
            continue
        if "/ws/" in parameters or item.get_closest_marker("either_shape"):
            item.add_marker(pytest.mark.variant)


def _over(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test with a connection for each channel, and again with subscriptions of `/ws/`."""
    from tests.support.sockets import Socket

    monkeypatch.setattr(Socket, "over_shared", request.param == "/ws/")


over = pytest.fixture(params=["endpoint", "/ws/"])(_over)
over_slowly = pytest.fixture(params=["endpoint", pytest.param("/ws/", marks=pytest.mark.slow)])(_over)
"""The same, where `make test` should not take twice as long."""
over_rarely = pytest.fixture(params=["endpoint", pytest.param("/ws/", marks=[pytest.mark.slow, pytest.mark.variant])])(
    _over
)
"""The same, where continuous integration should not take twice as long either."""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's PostgreSQL; `fresh_postgres(postgres_server)` is the URL of a migrated database in it."""
    from tests.support.postgres import PostgresServer

    with PostgresServer() as server:
        yield server


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of one test, which may kill and restart it."""
    from tests.support.redis import RedisServer

    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture(scope="session", params=with_slow_shapes(SHAPES))
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The running system in each shape, shared by the session: tests may create users and bookings, but break nothing.

    A test that kills processes or changes settings starts a new one: `embedded_stack` or `distributed_stack`.
    """
    from tests.support.stack import distributed_stack, embedded_stack

    directory = tmp_path_factory.mktemp(request.param)
    if request.param == "embedded":
        with embedded_stack(directory) as running:
            yield running
    else:
        postgres = request.getfixturevalue("postgres_server")
        with distributed_stack(directory, postgres) as running:
            yield running


@pytest.fixture(scope="session")
def actors(stack: Stack) -> Iterator[Actors]:
    """The users of the shared stack, signed in."""
    from tests.support.actors import Actors

    people = Actors.of(stack)
    yield people
    people.close()
