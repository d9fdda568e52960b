"""Every view in both languages and both schemes, on the narrowest screen and on a desktop: axe, and what fits."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import People, Visitor
from tests.browser.test_watching import NO_NETWORK, REFUSED
from tests.support.browser import DESKTOP, NARROW, Language, Scheme, Visit, choices_cut_off
from tests.support.stack import Stack

SITE = (28.6315, 77.2167)
SCREENS = {"320": NARROW, "desktop": DESKTOP}
OFTEN = (("hi", "320", "light"), ("en", "desktop", "dark"))
"""The two looks that differ most from each other."""
CASES = [
    pytest.param(*case, marks=[] if case in OFTEN else pytest.mark.variant)
    for case in [
        (language, screen, scheme) for language in ("en", "hi") for screen in SCREENS for scheme in ("light", "dark")
    ]
]


class Looker:
    """Checks what one person sees."""

    def __init__(self, visit: Visit, name: str) -> None:
        self.visit = visit
        self._name = name

    def look(self, view: str) -> None:
        page = self.visit.page
        self.visit.screenshot(f"{view}-{self._name}")
        assert self.visit.accessibility_violations() == [], view
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{view} scrolls sideways"
        cut: list[str] = page.locator("button:visible:not(.bell), .status:visible, .pill:visible").evaluate_all(
            "(all) => all.filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.outerHTML)"
        )
        assert cut == [], f"{view} cuts words off"
        assert choices_cut_off(page) == [], view
        if self.visit.language == "hi":
            assert words_in_english(self.visit) == [], view


NOT_TRANSLATED = re.compile(
    r"HunarMitra|English|REST API|MAP_TILE_URL|Asha Verma|Ravi Kumar|Meera Iyer|\b(am|pm|km|m|AV|RK|MI)\b"
)
"""Names, and what Intl and Leaflet write."""


def words_in_english(one: Visit) -> list[str]:
    """Return the texts and labels of the page that are not in Hindi, without those that people wrote."""
    shown: list[str] = one.page.evaluate(
        """() => {
          const all = (selector) => [...document.querySelectorAll(selector)];
          const theirs = new Set(all('[dir=auto]:not(#headline)').map((each) => each.innerText.trim()));
          const labels = all('[aria-label], [title]').flatMap((each) => [each.getAttribute('aria-label'), each.title]);
          const lines = document.body.innerText.split('\\n').filter((line) => !theirs.has(line.trim()));
          return [...labels, ...lines].filter(Boolean);
        }"""
    )
    return [text for text in shown if re.search(r"[A-Za-z]", NOT_TRANSLATED.sub("", text))]


def look_at_the_work(worker: Looker, booking: str) -> None:
    page = worker.visit.page
    worker.visit.watch(booking)
    expect(page.locator("#drive")).to_be_visible()
    worker.look("worker-confirmed")
    page.locator("#action").click()
    expect(page.locator("#status")).to_have_attribute("data-status", "on_the_way")
    expect(page.locator(".sharing")).to_have_attribute("data-state", "sharing")
    page.locator(".decline summary").click()
    worker.look("worker-sharing")
    page.locator("#action").click()
    expect(page.locator("#action-yes")).to_be_visible()
    worker.look("worker-asked")


def look_at_the_booking(customer: Looker, people: People, booking: str) -> None:
    page = customer.visit.page
    customer.look("bookings")
    customer.visit.watch(booking)
    expect(page.locator(".marker.worker")).to_be_visible()
    expect(page.locator("#drive")).to_be_visible()
    customer.look("booking-on-the-way")
    page.locator(".bell").click()
    expect(page.locator(".notifications li").first).to_be_visible()
    customer.look("notifications")
    page.keyboard.press("Escape")
    people.worker.status(booking, "arrived")
    expect(page.locator("#status")).to_have_attribute("data-status", "arrived")
    customer.look("booking-arrived")


def look_at_what_is_not_there(customer: Looker, booking: str) -> None:
    page = customer.visit.page
    page.goto(f"{customer.visit.base_url}/#/bookings/00000000-0000-4000-8000-000000000000")
    expect(page.get_by_role("alert")).to_be_visible()
    customer.look("booking-unknown")
    page.context.set_offline(True)
    page.goto(f"{customer.visit.base_url}/#/bookings/{booking}")
    expect(page.locator("#main button.primary")).to_be_visible()
    customer.look("booking-offline")


@pytest.mark.slow
@pytest.mark.parametrize(("language", "screen", "scheme"), CASES)
def test_axe_finds_nothing_and_everything_fits(
    demo: Stack, people: People, visit: Visitor, language: Language, screen: str, scheme: Scheme
) -> None:
    order: dict[str, Any] = {"service": "Kitchen tap repair", "address": "Block E, Connaught Place", "notes": ""}
    requested = str(people.employer.create_booking(**order)["id"])
    booking = people.new_booking(lat=SITE[0], lng=SITE[1], estimated_price="123456.50", **order)

    def looker(allowed: str = "$^") -> Looker:
        one = visit(demo, SCREENS[screen], scheme, still=True, allowed=allowed, language=language)
        return Looker(one, f"{screen}-{scheme}-{language}")

    guest, worker, staff, customer = looker(), looker(), looker(), looker(rf"{REFUSED}|{NO_NETWORK}")
    guest.visit.open()
    expect(guest.visit.page.get_by_role("button", name="Asha Verma")).to_be_visible()
    guest.look("sign-in")
    for each, name in ((worker, "Ravi Kumar"), (customer, "Asha Verma"), (staff, "Meera Iyer")):
        each.visit.be(name)
        expect(each.visit.page.locator(f"a[data-id='{booking}']")).to_be_visible()
    look_at_the_work(worker, booking)
    look_at_the_booking(customer, people, booking)
    look_at_what_is_not_there(customer, requested)
    staff.look("bookings-staff")
    staff.visit.watch(requested)
    expect(staff.visit.page.locator("#worker option").nth(1)).to_be_attached()
    staff.look("assign")
