"""The admin works in a browser under its Content-Security-Policy, with a password alone and with a second factor."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import People, Visitor
from tests.support.actors import seed
from tests.support.browser import NARROW, Scheme
from tests.support.stack import Stack
from tests.support.totp import totp


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "audited"), [("light", False), ("light", True), ("dark", True)])
def test_staff_set_up_a_second_factor_and_sign_in_with_it(
    demo: Stack, visit: Visitor, scheme: Scheme, audited: bool
) -> None:
    """Once under the policy, which blocks axe's styles, and then with axe."""
    user = seed(demo, ["admin"])[0]
    visitor = visit(demo, NARROW, scheme, allowed="status of 404", without_policy=audited)
    page = visitor.page

    def audit() -> None:
        if audited:
            assert not visitor.accessibility_violations()

    def sign_in(code: str) -> None:
        page.get_by_label("Username").fill(user.username)
        page.get_by_label("Password").fill(user.password)
        page.get_by_label("Code:", exact=True).fill(code)
        audit()
        page.get_by_role("button", name="Log in").click()

    visitor.open("/admin/")
    sign_in("")
    page.get_by_role("link", name="Second factor").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    audit()
    secret = page.locator("#secret").inner_text()
    page.get_by_label("Password").fill(user.password)
    page.get_by_label("Code:", exact=True).fill("000000")
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_text("This is not the code of now.")).to_be_visible()
    audit()
    page.get_by_label("Password").fill(user.password)
    page.get_by_label("Code:", exact=True).fill(totp(secret))
    page.get_by_role("button", name="Set up").click()
    codes = page.locator("#recovery-codes").inner_text().split()
    assert len(codes) == 8
    audit()
    visitor.screenshot(f"admin-recovery-codes-{scheme}")
    page.get_by_role("button", name="Log out").click()

    visitor.open("/admin/second-factor/")
    sign_in("000000")
    expect(page.get_by_text("Each code works once.")).to_be_visible()
    sign_in(totp(secret, steps=1))
    expect(page.get_by_text("8 recovery codes are left")).to_be_visible()
    audit()
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    page.get_by_label("Password").fill(user.password)
    page.get_by_label("Code:", exact=True).fill(codes[0])
    page.get_by_role("button", name="Remove the second factor").click()
    expect(page.get_by_text("The second factor is removed.")).to_be_visible()
