"""The page in English and in Hindi."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.browser.conftest import People, Visitor
from tests.support.browser import PHONE, Visit
from tests.support.stack import Stack


def test_the_language_is_that_of_the_browser_and_can_be_switched(
    demo: Stack, people: People, browser: Browser, visit: Visitor
) -> None:
    booking = people.new_booking(service="Fan repair", estimated_price="123456.50")
    context = browser.new_context(locale="hi-IN", viewport=PHONE)
    reader = Visit(context.new_page(), demo.base_url)
    page = reader.page
    reader.open()
    expect(page.get_by_role("heading", level=1)).to_have_text("अपनी बुकिंग लाइव देखें")
    expect(page.locator("html")).to_have_attribute("lang", "hi")
    page.get_by_role("button", name="Asha Verma").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("आपकी बुकिंग")
    page.locator(f"a[data-id='{booking}']").click()
    expect(reader.connection).to_have_text("लाइव")
    expect(page.locator("#status")).to_have_text("पक्की")
    expect(page.locator(".details")).to_contain_text("₹1,23,456.50")
    # It changes in place: the page is not loaded again, and its place stays.
    page.evaluate("window.same = true")
    page.get_by_role("button", name="English").click()
    expect(page.locator("#status")).to_have_text("Confirmed")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("button", name="English")).to_be_focused()
    expect(page.get_by_role("button", name="English")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(f"article[data-id='{booking}']")).to_be_visible()
    reader.expect_live()
    assert page.evaluate("window.same")
    # And it is remembered, also in other tabs.
    other = Visit(context.new_page(), demo.base_url)
    other.open("/#/sign-in")
    expect(other.page.get_by_role("heading", level=1)).to_have_text("Watch a booking, live")
    page.reload()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    context.close()
    for each in (reader, other):
        each.assert_no_problems()


def test_a_language_that_the_page_does_not_have_is_english(demo: Stack, browser: Browser) -> None:
    context = browser.new_context(locale="ta-IN")
    reader = Visit(context.new_page(), demo.base_url)
    reader.open()
    expect(reader.page.get_by_role("heading", level=1)).to_have_text("Watch a booking, live")
    expect(reader.page.locator("html")).to_have_attribute("lang", "en")
    context.close()
