"""A page in headless Chromium that records errors and unexpected requests.

Playwright's synchronous interface keeps its event loop running in this thread, so no asynchronous test may run
while a browser is open. The fixtures that open one have module scope, and their modules have no such tests.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Route, ViewportSize, expect, sync_playwright

from tests.support import tools
from tests.support.actors import User
from tests.support.surroundings import REPOSITORY

ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--in-process-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
NO_SERVICE_WORKER = "Service Worker registration blocked by Playwright"
# What `never_arrive` leads to; for `allowed`.
PUT_OFF = "status of 429"
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
SCREENSHOTS = Path(os.environ.get("SCREENSHOTS") or REPOSITORY / ".cache" / "screenshots")
NARROW: ViewportSize = {"width": 320, "height": 640}
ARROW = 16
"""Pixels of the arrow of Chromium's drop-down lists."""
Scheme = Literal["light", "dark"]
Language = Literal["en", "hi"]
LIVE: Mapping[Language, str] = {"en": "Live", "hi": "लाइव"}

expect.set_options(timeout=120_000)


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tools.chromium(), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@cache
def _axe() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text()


@dataclass
class Visit:
    """The browser of one person. `problems` are console errors, uncaught exceptions and requests to other hosts."""

    page: Page
    base_url: str
    language: Language = "en"
    problems: list[str] = field(default_factory=list)
    sockets: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        self.page.on("request", lambda request: self._note_request(request.url))
        self.page.on("websocket", lambda socket: self.sockets.append(socket.url))

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and message.text != NO_SERVICE_WORKER:
            self.problems.append(f"{message.type}: {message.text}")

    def _note_request(self, url: str) -> None:
        if not url.startswith((self.base_url, self.base_url.replace("http", "ws", 1), "data:", "blob:")):
            self.problems.append(f"external: {url}")

    def assert_no_problems(self, allowed: str = "$^") -> None:
        """Fail if there are problems, except those that match the pattern `allowed`."""
        found = [problem for problem in self.problems if not re.search(allowed, problem)]
        assert not found, found

    # ── what a person does ──────────────────────────────────────────────────────────────────────────────────
    def open(self, path: str = "/") -> None:
        self.page.goto(self.base_url + path)

    def be(self, name: str) -> None:
        """Choose one of the demo's users."""
        self.open()
        self.page.get_by_role("button", name=name).click()
        expect(self.page.locator("#sign-out")).to_be_visible()

    def sign_in(self, user: User) -> None:
        """Sign in with the form."""
        self.page.get_by_label("User name").fill(user.username)
        self.page.get_by_label("Password").fill(user.password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    def watch(self, booking_id: str) -> None:
        """Open the booking and wait until it is live."""
        self.page.goto(f"{self.base_url}/#/bookings/{booking_id}")
        expect(self.page.locator(f"article[data-id='{booking_id}']")).to_be_visible()
        self.expect_live()

    def never_arrive(self) -> None:
        """Put off the end of the demo's drives in this browser, whose 26 s a busy machine may need for a test."""

        def answer(route: Route) -> None:
            asked: Any = route.request.post_data_json
            if asked["status"] in {"arrived", "completed"}:
                route.fulfill(status=429, headers={"Retry-After": "1"}, json={"detail": "The test goes on."})
            else:
                route.fallback()

        self.page.context.route("**/api/v1/bookings/*/status/", answer)

    # ── what a person sees ──────────────────────────────────────────────────────────────────────────────────
    @property
    def connection(self) -> Locator:
        return self.page.locator("#connection")

    def expect_live(self, timeout: float = 300) -> None:
        expect(self.connection).to_have_text(LIVE[self.language], timeout=timeout * 1000)

    def expect_status(self, words: str) -> None:
        expect(self.page.locator("#status[data-status]")).to_have_text(words)

    def expect_timeline(self, *seqs: int) -> None:
        """Wait until the timeline shows exactly these events, in this order."""
        items = self.page.locator("#timeline li[data-seq]")
        expect(items).to_have_count(len(seqs))
        shown = items.evaluate_all("items => items.map((item) => Number(item.dataset.seq))")
        assert shown == list(seqs), shown

    def expect_worker_at(self, lat: float, lng: float) -> None:
        expect(self.page.locator("#map")).to_have_attribute("data-worker", f"{lat},{lng}")

    def screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def accessibility_violations(self) -> list[str]:
        return accessibility_violations(self.page)


def choices_cut_off(page: Page) -> list[str]:
    """Return the texts of visible drop-down lists that are wider than their lists."""
    found: list[str] = page.locator("select:visible").evaluate_all(
        """(lists) => lists.filter((list) => {
          const style = getComputedStyle(list);
          const brush = document.createElement('canvas').getContext('2d');
          brush.font = style.font;
          const room = list.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - ARROW;
          return brush.measureText(list.selectedOptions[0].text).width > room;
        }).map((list) => list.selectedOptions[0].text)""".replace("ARROW", str(ARROW))
    )
    return found


def accessibility_violations(page: Page, *but: str) -> list[str]:
    """Return what axe finds on the current page, without the rules in `but`."""
    page.evaluate(_axe())
    # axe would fetch style sheets again, which is forbidden for pages from a disk.
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": page.url.startswith("http")}
    options["rules"] = {rule: {"enabled": False} for rule in but}
    found: list[dict[str, Any]] = page.evaluate(
        "(options) => axe.run(options).then((result) => result.violations)", options
    )
    return [f"{each['id']}: {each['help']} {[node['html'] for node in each['nodes']]}" for each in found]
