"""The admin works in a browser under its Content-Security-Policy: the browser blocks nothing of it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import People, Visitor
from tests.support.stack import Stack


def test_the_browser_blocks_nothing_of_the_admin(demo: Stack, people: People, visit: Visitor) -> None:
    visitor = visit(demo, allowed="status of 404")  # it has no icon
    page = visitor.page
    visitor.open("/admin/login/")
    page.get_by_label("Username").fill(people.admin.user.username)
    page.get_by_label("Password").fill(people.admin.user.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Support")).to_be_visible()
    for path in (
        "bookings/booking/",
        f"bookings/booking/{people.booking_id}/change/",
        "accounts/user/",
        f"accounts/user/{people.worker.me()['id']}/change/",
        "accounts/user/add/",
    ):
        visitor.open(f"/admin/{path}")
        expect(page.locator("#header")).to_have_css("display", "flex")
