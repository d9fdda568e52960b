"""Every view with axe, on both screens and in both schemes, and the page by keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import ViewportSize, expect

from tests.browser.conftest import People, Visitor
from tests.support.browser import DESKTOP, PHONE, PUT_OFF, Scheme
from tests.support.stack import Stack

VIEWS = [
    ("phone", PHONE, "light"),
    pytest.param("phone", PHONE, "dark", marks=pytest.mark.variant),
    pytest.param("desktop", DESKTOP, "light", marks=pytest.mark.variant),
    ("desktop", DESKTOP, "dark"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("screen", "viewport", "scheme"), VIEWS)
def test_axe_finds_nothing_in_any_view(
    demo: Stack, people: People, visit: Visitor, screen: str, viewport: ViewportSize, scheme: Scheme
) -> None:
    booking = people.new_booking(lat=28.6315, lng=77.2167)
    people.worker.status(booking, "on_the_way", eta_minutes=4)
    people.worker.track(booking, 28.6262, 77.2105)
    one = visit(demo, viewport, scheme, still=True)

    def look(view: str) -> None:
        one.screenshot(f"{view}-{screen}-{scheme}")
        assert one.accessibility_violations() == [], view
        assert one.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{view} scrolls sideways"

    one.open()
    expect(one.page.get_by_role("button", name="Asha Verma")).to_be_visible()
    look("sign-in")
    one.be("Asha Verma")
    expect(one.page.locator("#bookings .booking").first).to_be_visible()
    look("bookings")
    one.watch(booking)
    expect(one.page.locator(".marker.worker")).to_be_visible()
    expect(one.page.get_by_role("button", name="Drive the demo")).to_be_visible()
    one.expect_timeline(1, 2, 3, 4)
    look("booking")
    one.page.locator(".bell").click()
    look("notifications")


def test_staff_views_are_accessible_too(demo: Stack, people: People, visit: Visitor) -> None:
    booking = str(people.employer.create_booking()["id"])
    staff = visit(demo, PHONE, still=True)
    staff.be("Meera Iyer")
    expect(staff.page.locator("#bookings .booking").first).to_be_visible()
    assert staff.accessibility_violations() == []
    staff.watch(booking)
    expect(staff.page.get_by_role("button", name="Assign", exact=True)).to_be_visible()
    assert staff.accessibility_violations() == []


def test_it_works_by_keyboard_alone(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking()
    customer = visit(demo, allowed=PUT_OFF)
    customer.never_arrive()
    page = customer.page
    customer.open()
    expect(page.get_by_role("button", name="Asha Verma")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Asha Verma")).to_be_focused()
    page.keyboard.press("Enter")
    newest = page.locator("#bookings .booking").first
    expect(newest).to_have_attribute("data-id", booking)
    newest.focus()
    page.keyboard.press("Enter")
    # The view's heading has the focus: a screen reader says where one is.
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    customer.expect_live()
    drive = page.get_by_role("button", name="Drive the demo")
    expect(drive).to_be_enabled()
    drive.focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("log")).to_have_text("On the way: Ravi Kumar is on the way.")
    page.get_by_role("button", name="Stop the demo").press("Enter")
    page.locator(".bell").press("Enter")
    expect(page.get_by_role("region", name="Notifications")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".bell")).to_be_focused()
