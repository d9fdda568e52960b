"""One release with the operator for all tests of scaling, and its watchers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import People, installed, people_of
from tests.e2e.scaling.fleet import LEAST, SETTINGS, Fleet, until
from tests.e2e.watching import Crowd

WATCHERS, BOOKINGS, SPARE = 120, 12, 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="package")
def fleet() -> Iterator[Fleet]:
    """A release with another host name, beside the release of the other tests."""
    with installed(Fleet(), *SETTINGS) as running:
        assert isinstance(running, Fleet)
        yield running


@pytest.fixture(scope="package")
def everybody(fleet: Fleet) -> Iterator[People]:
    with people_of(fleet) as found:
        yield found


@pytest.fixture(scope="package")
def bookings(everybody: People) -> list[str]:
    return everybody.bookings(BOOKINGS)


@pytest.fixture
async def crowd(fleet: Fleet, people: People, bookings: list[str]) -> AsyncIterator[Crowd]:
    """Watchers on two pods more than their number needs; `fleet.shrink()` begins to drain the two."""

    def grow() -> None:
        fleet.rolled_out("operator")
        fleet.change(minReplicas=LEAST + SPARE, paused=False)

    await asyncio.to_thread(grow)
    await until(lambda: fleet.in_service(LEAST + SPARE), 120, "spare pods")
    await asyncio.to_thread(fleet.forget_events)
    async with Crowd(fleet.booking_url, people.employer.token, bookings, WATCHERS, per_second=40) as watching:
        yield watching
