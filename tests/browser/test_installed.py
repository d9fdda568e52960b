"""The installed page: it stays signed in when its last window is closed, and a tab of a browser does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.conftest import People
from tests.support.browser import Visit
from tests.support.stack import Stack

STANDALONE = """{
  const real = globalThis.matchMedia;
  globalThis.matchMedia = (query) => (query.includes('display-mode: standalone') ? { matches: true } : real(query));
}"""
"""Headless Chromium cannot install a page, and does not emulate the display mode."""
KEPT = "JSON.parse(localStorage.getItem('hunarmitra.session'))"


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    """A browser whose windows are closed one by one, while its storage stays."""
    context = browser.new_context()
    context.new_page()  # a browser without windows would end
    yield context
    context.close()


def window(phone: BrowserContext, demo: Stack, *, installed: bool = True) -> Visit:
    """Open a window of the installed page, or a tab."""
    page = phone.new_page()
    if installed:
        page.add_init_script(STANDALONE)
    opened = Visit(page, demo.base_url)
    opened.open()
    return opened


def choose(one: Visit, name: str) -> None:
    one.page.get_by_role("button", name=name).click()
    expect(one.page.get_by_role("button", name="Sign out")).to_be_visible()


@pytest.mark.slow
def test_a_session_outlives_the_last_window_of_the_installed_page(
    demo: Stack, people: People, phone: BrowserContext
) -> None:
    first = window(phone, demo)
    choose(first, "Ravi Kumar")
    first.page.close()
    second = window(phone, demo)
    expect(second.page.locator("#bar .who strong")).to_have_text("Ravi Kumar")
    # Another tab renews the token after this window is closed: the spent one would end the session.
    tab = window(phone, demo, installed=False)
    expect(tab.page.locator("#bar .who strong")).to_have_text("Ravi Kumar")
    before = tab.page.evaluate(KEPT)
    second.page.close()
    tab.page.evaluate(
        """async () => {
          const { Session } = await import('./static/page/session.js');
          await (await Session.restored()).token({ refresh: true });
        }"""
    )
    after = tab.page.evaluate(KEPT)
    assert after["id"] == before["id"]
    assert after["refresh"] != before["refresh"]
    tab.page.close()
    third = window(phone, demo)
    expect(third.page.locator("#bar .who strong")).to_have_text("Ravi Kumar")
    third.page.get_by_role("button", name="Sign out").click()
    expect(third.page.get_by_role("heading", name="Watch a booking, live")).to_be_visible()
    assert third.page.evaluate(KEPT) is None
    third.page.close()
    fourth = window(phone, demo)
    expect(fourth.page.get_by_role("heading", name="Watch a booking, live")).to_be_visible()
    for each in (first, second, tab, third, fourth):
        each.assert_no_problems()


@pytest.mark.slow
def test_a_session_ends_with_the_last_tab_of_a_browser(demo: Stack, people: People, phone: BrowserContext) -> None:
    tab = window(phone, demo, installed=False)
    choose(tab, "Asha Verma")
    assert tab.page.evaluate(KEPT) is None
    tab.page.close()
    other = window(phone, demo, installed=False)
    expect(other.page.get_by_role("heading", name="Watch a booking, live")).to_be_visible()
    # Nor does the installed page find it.
    app = window(phone, demo)
    expect(app.page.get_by_role("heading", name="Watch a booking, live")).to_be_visible()


def test_another_person_in_a_tab_does_not_replace_the_one_of_the_installed_page(
    demo: Stack, people: People, phone: BrowserContext
) -> None:
    app = window(phone, demo)
    choose(app, "Ravi Kumar")
    app.page.close()
    tab = window(phone, demo, installed=False)
    choose(tab, "Asha Verma")
    again = window(phone, demo)
    expect(again.page.locator("#bar .who strong")).to_have_text("Ravi Kumar")
    expect(tab.page.locator("#bar .who strong")).to_have_text("Asha Verma")
