"""Fixtures: a browser, and the demo that it shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, ViewportSize

from tests.support import tools
from tests.support.actors import Actor, User
from tests.support.browser import DESKTOP, Language, Scheme, Visit, chromium
from tests.support.stack import Stack, embedded_stack


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The server of `make run`, without a limit for locations."""
    directory = tmp_path_factory.mktemp("demo")
    with embedded_stack(directory, server="hunarmitra_ws", DEMO="1", TRACKING_MIN_INTERVAL="0") as stack:
        yield stack


class People:
    """The demo's users over REST, and its booking."""

    def __init__(self, stack: Stack) -> None:
        self._data: dict[str, Any] = json.loads(stack.manage("demo", "--json"))
        self.employer, self.worker, self.admin = (
            self._actor(stack, role, name)
            for role, name in (("employer", "Asha Verma"), ("worker", "Ravi Kumar"), ("admin", "Meera Iyer"))
        )
        self.booking_id = str(self._data["booking_id"])

    def _actor(self, stack: Stack, role: str, name: str) -> Actor:
        given = self._data[role]
        user = User("", given["username"], given["password"], name, role)
        return Actor(stack.base_url, user)

    def close(self) -> None:
        for actor in (self.employer, self.worker, self.admin):
            actor.close()

    def new_booking(self, **fields: Any) -> str:
        """Create a confirmed booking with the demo's worker; its log has the events 1 to 3."""
        booking_id = str(self.employer.create_booking(**fields)["id"])
        self.admin.assign(booking_id, self.worker.me()["id"])
        return booking_id


@contextmanager
def own_demo(directory: Path, **variables: str) -> Iterator[tuple[Stack, People]]:
    """A demo for one test, which kills the server or needs other settings."""
    with embedded_stack(directory, DEMO="1", **variables) as stack, closing(People(stack)) as known:  # type: ignore[arg-type]
        yield stack, known


@pytest.fixture(scope="module")
def people(demo: Stack) -> Iterator[People]:
    with closing(People(demo)) as known:
        yield known


class Visitor(Protocol):
    """Opens a new browser (with its own cookies and storage) on the stack's page.

    A service worker loads all files of the page once more, so only tests of what it does have one.
    """

    def __call__(
        self,
        stack: Stack,
        viewport: ViewportSize = DESKTOP,
        scheme: Scheme = "light",
        *,
        still: bool = False,
        allowed: str = "$^",
        language: Language = "en",
        without_policy: bool = False,
        service_worker: bool = False,
    ) -> Visit: ...


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visitor]:
    """Opens browsers, and checks at the end that no page had a problem that was not `allowed`."""
    visits: list[tuple[Visit, str]] = []

    def opened(
        stack: Stack,
        viewport: ViewportSize = DESKTOP,
        scheme: Scheme = "light",
        *,
        still: bool = False,
        allowed: str = "$^",
        language: Language = "en",
        without_policy: bool = False,
        service_worker: bool = False,
    ) -> Visit:
        if language == "hi":
            tools.hindi_font()
        context = browser.new_context(
            viewport=viewport,
            color_scheme=scheme,
            reduced_motion="reduce" if still else "no-preference",
            locale=f"{language}-IN",
            bypass_csp=without_policy,
            service_workers="allow" if service_worker else "block",
        )
        visits.append((Visit(context.new_page(), stack.base_url, language), allowed))
        return visits[-1][0]

    yield opened
    for each, _ in visits:
        each.page.context.close()
    for each, allowed in visits:
        each.assert_no_problems(allowed)
