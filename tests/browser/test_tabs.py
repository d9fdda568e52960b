"""The customer in several tabs of a browser, which share one session; and its requests that nobody answers."""

from __future__ import annotations

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Route, expect

from tests.browser.conftest import People, Visitor
from tests.browser.test_watching import REFUSED
from tests.support.browser import PUT_OFF, Visit
from tests.support.stack import Stack


@pytest.mark.slow
def test_a_second_tab_is_signed_in_and_a_sign_out_ends_both(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking()
    first = visit(demo)
    first.be("Asha Verma")
    expect(first.page.locator(f"a[data-id='{booking}']")).to_be_visible()
    second = Visit(first.page.context.new_page(), demo.base_url)
    second.open(f"/#/bookings/{booking}")
    second.expect_live()
    expect(second.page.get_by_role("heading", level=1)).to_have_text("plumbing")
    # Another person in a third tab changes nothing in the others.
    third = Visit(first.page.context.new_page(), demo.base_url)
    third.open("/#/sign-in")
    third.page.get_by_role("button", name="Ravi Kumar").click()
    expect(third.page.locator("#bar .who strong")).to_have_text("Ravi Kumar")
    expect(second.page.locator("#bar .who strong")).to_have_text("Asha Verma")
    second.page.get_by_role("button", name="Sign out").click()
    expect(first.page.get_by_role("heading", name="Watch a booking, live")).to_be_visible()
    expect(third.page.locator("#bar .who strong")).to_have_text("Ravi Kumar")
    for each in (second, third):
        each.assert_no_problems()


REFRESH = "**/api/v1/auth/refresh/"
RESTORED = """async () => {
  const { Session } = await import('./static/page/session.js');
  window.session = await Session.restored();
}"""
RENEWAL = "() => { window.renewal = window.session.token({ refresh: true }); }"


@pytest.mark.usefixtures("people")
def test_tabs_share_one_renewal_of_the_token(demo: Stack, visit: Visitor) -> None:
    first = visit(demo, allowed=REFUSED)
    first.be("Asha Verma")
    second = Visit(first.page.context.new_page(), demo.base_url)
    second.open()
    expect(second.page.get_by_role("button", name="Sign out")).to_be_visible()
    tabs = (first.page, second.page)
    for page in tabs:
        page.evaluate(RESTORED)
    held: list[Route] = []
    first.page.context.route(REFRESH, lambda route: held.insert(0, route), times=1)
    # Both tabs renew the token, as they do before it expires: the second while the first waits for the server.
    with first.page.expect_request(REFRESH):
        first.page.evaluate(RENEWAL)
    second.page.evaluate(RENEWAL)
    repeated: list[str] = []
    first.page.context.on(
        "request", lambda request: repeated.append(request.url) if "auth/refresh" in request.url else None
    )
    held[0].continue_()
    one, other = (page.evaluate("window.renewal") for page in tabs)
    assert one
    assert one == other
    assert repeated == []


@pytest.mark.usefixtures("people")
def test_a_request_that_nobody_answers_ends_and_the_token_is_renewed_by_the_next(demo: Stack, visit: Visitor) -> None:
    customer = visit(demo)
    customer.be("Asha Verma")
    customer.page.evaluate(RESTORED)
    # The page's deadlines, a hundred times sooner until the first has passed.
    customer.page.evaluate(
        """() => {
          const timeout = AbortSignal.timeout;
          AbortSignal.timeout = (ms) => timeout.call(AbortSignal, ms / 100);
          window.patient = () => { AbortSignal.timeout = timeout; };
        }"""
    )
    held: list[Route] = []
    customer.page.context.route(REFRESH, lambda route: held.insert(0, route), times=1)
    customer.page.evaluate(RENEWAL)
    with pytest.raises(PlaywrightError, match="cannot be reached"):
        customer.page.evaluate("window.renewal")
    customer.page.evaluate("window.patient()")
    customer.page.evaluate(RENEWAL)
    assert customer.page.evaluate("window.renewal")


def test_a_tab_takes_the_tokens_that_another_tells_of_while_it_asks(demo: Stack, visit: Visitor) -> None:
    first = visit(demo)
    first.be("Asha Verma")
    first.page.evaluate(RESTORED)
    second = first.page.context.new_page()
    second.goto(f"{demo.base_url}/static/page/languages/en.json")
    second.evaluate(
        """(tokens) => {
          const channel = new BroadcastChannel('hunarmitra.session');
          channel.onmessage = ({ data }) =>
            data.type === 'ask' && channel.postMessage({ type: 'session', tokens, usedAt: Date.now() });
        }""",
        {
            **first.page.evaluate("JSON.parse(sessionStorage['hunarmitra.session'])"),
            "access": "newer",
            "renewedAt": first.page.evaluate("Date.now()") + 60_000,
        },
    )
    first.page.context.route(REFRESH, lambda route: route.abort())
    first.page.evaluate(RENEWAL)
    assert first.page.evaluate("window.renewal") == "newer"


@pytest.mark.slow
def test_two_tabs_do_not_drive_one_booking(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking()
    first = visit(demo, allowed=f"status of 409|{PUT_OFF}")
    first.never_arrive()
    first.be("Asha Verma")
    first.watch(booking)
    second = Visit(first.page.context.new_page(), demo.base_url)
    second.watch(booking)
    first.page.get_by_role("button", name="Drive the demo").click()
    expect(first.page.get_by_role("button", name="Stop the demo")).to_be_visible()
    second.page.get_by_role("button", name="Drive the demo").click()
    expect(second.page.get_by_role("alert")).to_have_text("Another tab drives this booking already.")
    first.page.get_by_role("button", name="Stop the demo").click()
    expect(first.page.get_by_role("button", name="Drive the demo")).to_be_enabled()
    second.page.get_by_role("button", name="Drive the demo").click()
    expect(second.page.get_by_role("button", name="Stop the demo")).to_be_visible()
    expect(second.page.get_by_role("alert")).to_be_hidden()
