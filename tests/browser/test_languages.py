"""The page in English and in Hindi."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import People, Visitor
from tests.support.browser import PHONE, Visit
from tests.support.stack import Stack


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_walk_in_hindi_from_the_booking_to_the_arrival(demo: Stack, people: People, visit: Visitor) -> None:
    people.employer.mark_all_read()
    booking = people.new_booking(service="नल की मरम्मत", lat=28.6315, lng=77.2167)
    customer, worker = visit(demo, PHONE, language="hi"), visit(demo, PHONE, language="hi")
    page = customer.page
    customer.be("Asha Verma")
    customer.watch(booking)
    customer.expect_status("पक्की")
    expect(page.locator("#headline")).to_have_text("Ravi Kumar आएँगे")
    expect(page).to_have_title("पक्की · नल की मरम्मत · HunarMitra")
    worker.be("Ravi Kumar")
    worker.watch(booking)
    expect(worker.page.locator("#headline")).to_have_text("यह काम आपको मिला है")
    expect(worker.page.get_by_role("button", name="निकल रहा/रही हूँ")).to_be_visible()
    people.worker.status(booking, "on_the_way", eta_minutes=7)
    worker.page.get_by_role("switch", name="मेरी जगह दिखाएँ").click()
    customer.expect_status("रास्ते में")
    expect(page.locator("#headline")).to_have_text("Ravi Kumar रास्ते में हैं")
    expect(page.locator("#eta")).to_have_text("7 मिनट दूर")
    expect(page.locator("#where")).to_have_text(re.compile(r"^1\.\d किलोमीटर दूर$"))
    expect(page.locator("#seen")).to_have_text(re.compile(r"^जगह (अभी-अभी|\d+ सेकंड पहले) मिली$"))
    expect(page.get_by_role("log")).to_contain_text("रास्ते में: Ravi Kumar रास्ते में हैं।")
    expect(worker.page.locator("#sharing")).to_have_text("ग्राहक आपको नक्शे पर देख रहे हैं।")
    customer.screenshot("booking-on-the-way-phone-hindi")
    worker.screenshot("worker-on-the-way-phone-hindi")
    page.locator(".bell").click()
    newest = page.locator(".notifications li").first
    expect(newest).to_contain_text("नल की मरम्मत: Ravi Kumar रास्ते में हैं।")
    page.keyboard.press("Escape")
    worker.page.get_by_role("button", name="मैं पहुँच गया/गई").click()
    expect(worker.page.locator(".work-question")).to_contain_text("किलोमीटर दूर हैं। क्या आप पहुँच गए हैं?")
    worker.page.get_by_role("button", name="हाँ, पहुँच गया/गई").click()
    for each in (customer, worker):
        each.expect_status("पहुँच गए")
        each.expect_timeline(1, 2, 3, 4, 5)
    expect(page.locator("#headline")).to_have_text("Ravi Kumar पहुँच गए हैं")
    expect(worker.page.locator("#headline")).to_have_text("आप पहुँच गए हैं")
    customer.screenshot("booking-arrived-phone-hindi")


def test_an_event_that_the_page_does_not_know_has_the_words_of_the_server(demo: Stack, visit: Visitor) -> None:
    reader = visit(demo, language="hi")
    reader.open()
    words = reader.page.evaluate(
        """async () => {
          const { notificationWords } = await import('./static/page/words.js');
          const row = { title: 'Delayed', message: 'Ravi is late.' };
          const known = { ...row, data: { event_type: 'booking_arrived', service: 'Fan', worker: null } };
          const unknown = { ...row, data: { event_type: 'booking_delayed', service: 'Fan', worker: 'Ravi' } };
          return [known, unknown, { ...row, data: {} }, row].map(notificationWords);
        }"""
    )
    server = {"title": "Delayed", "message": "Ravi is late."}
    assert words == [{"title": "पहुँच गए", "message": "Fan: कारीगर पहुँच गए हैं।"}, server, server, server]


def test_the_server_answers_the_page_in_its_language(demo: Stack, visit: Visitor) -> None:
    reader = visit(demo, language="hi", allowed="status of 401")
    reader.open()
    with reader.page.expect_request("**/api/v1/auth/token/") as asked:
        reader.page.locator("#username").fill("nobody")
        reader.page.locator("#password").fill("nothing")
        reader.page.locator("form button").click()
    assert asked.value.headers["accept-language"] == "hi"
    expect(reader.page.get_by_role("alert")).to_have_text("यूज़र नाम या पासवर्ड सही नहीं है।")
