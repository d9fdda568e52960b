"""A booking watched live in browsers, while its worker moves, servers die, tokens expire and strangers look in."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import People, Visitor, own_demo
from tests.support.actors import seed
from tests.support.api import Api
from tests.support.browser import PHONE, PUT_OFF
from tests.support.clock import steady
from tests.support.eventually import eventually
from tests.support.stack import Stack

NO_NETWORK = r"ERR_(CONNECTION|EMPTY_RESPONSE|INTERNET_DISCONNECTED|NETWORK_CHANGED)|WebSocket connection to"
REFUSED = r"status of 40[14]"
A_POSITION = re.compile(r"^28\.\d+,77\.\d+$")


def places_of_the_marker(page: Page) -> int:
    """At how many places it is drawn within a second and a half, in which there are two positions at most."""
    count: int = page.evaluate(
        """async () => {
          const places = new Set();
          for (const end = performance.now() + 1500; performance.now() < end; ) {
            await new Promise(requestAnimationFrame);
            const { x, y } = document.querySelector('.marker.worker').getBoundingClientRect();
            places.add(`${x},${y}`);
          }
          return places.size;
        }"""
    )
    return count


@pytest.mark.slow
def test_the_button_moves_the_marker_within_ten_seconds(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking()
    customer = visit(demo, allowed=f"status of 409|{PUT_OFF}")  # a position that meets the end below
    customer.never_arrive()
    customer.be("Asha Verma")
    customer.page.locator(f"a[data-id='{booking}']").click()
    button = customer.page.get_by_role("button", name="Drive the demo", exact=True)
    expect(button).to_be_enabled()
    started = steady()
    button.click()
    shown = customer.page.locator("#map")
    expect(shown).to_have_attribute("data-worker", A_POSITION)
    first = shown.get_attribute("data-worker")
    eventually(lambda: shown.get_attribute("data-worker") != first)
    assert steady() - started < 10
    customer.expect_status("On the way")
    people.employer.status(booking, "cancelled")
    customer.expect_status("Cancelled")
    expect(customer.page.locator(".marker.worker")).to_have_count(0)
    # And once more, with a new booking.
    customer.page.get_by_role("button", name="Drive the demo again").click()
    expect(customer.page.locator(f"article[data-id]:not([data-id='{booking}'])")).to_be_visible()
    customer.expect_status("On the way")
    expect(shown).to_have_attribute("data-worker", A_POSITION)
    customer.screenshot("booking-driving-desktop")


# The pause between two locations of the demo's drive, of which it has 26.
QUICKER = """(() => {
  const ordinary = window.setTimeout;
  window.setTimeout = (call, ms, ...rest) => ordinary(call, ms === 1000 ? 40 : ms, ...rest);
})()"""


@pytest.mark.slow
def test_the_demos_drive_ends_with_the_work_done(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking(lat=28.6315, lng=77.2167)
    customer = visit(demo)
    customer.page.add_init_script(QUICKER)
    customer.be("Asha Verma")
    customer.watch(booking)
    customer.page.get_by_role("button", name="Drive the demo").click()
    customer.expect_status("Completed")
    customer.expect_timeline(1, 2, 3, 4, 5, 6)
    expect(customer.page.get_by_role("button", name="Drive the demo again")).to_be_enabled()


def test_a_customer_watches_in_one_browser_while_the_worker_drives_in_another(
    demo: Stack, people: People, visit: Visitor
) -> None:
    booking = people.new_booking(lat=28.6315, lng=77.2167)
    customer, worker = visit(demo, PHONE), visit(demo, allowed=PUT_OFF)
    worker.never_arrive()
    customer.be("Asha Verma")
    customer.watch(booking)
    customer.expect_timeline(1, 2, 3)
    customer.expect_status("Confirmed")
    worker.be("Ravi Kumar")
    worker.watch(booking)
    worker.page.get_by_role("button", name="Drive the demo").click()
    customer.expect_status("On the way")
    expect(customer.page.locator("#map")).to_have_attribute("data-worker", A_POSITION)
    expect(customer.page.locator("#eta")).to_have_text(re.compile(r"^\d+ minutes? away$"))
    expect(customer.page.locator("#headline")).to_have_text("Ravi Kumar is on the way")
    # It glides: drawn at places between two positions.
    eventually(lambda: places_of_the_marker(customer.page) > 4)
    customer.screenshot("booking-on-the-way-phone")
    worker.page.get_by_role("button", name="Stop the demo").click()
    expect(worker.page.get_by_role("button", name="Drive the demo")).to_be_enabled()
    people.worker.status(booking, "arrived")
    customer.expect_status("Arrived")
    people.worker.status(booking, "completed")
    for each in (customer, worker):
        each.expect_status("Completed")
        each.expect_timeline(1, 2, 3, 4, 5, 6)
        expect(each.page.locator(".marker.worker")).to_have_count(0)


@pytest.mark.slow
def test_the_marker_moves_by_fractions_of_a_pixel(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking()
    people.worker.status(booking, "on_the_way")
    customer = visit(demo)
    customer.be("Asha Verma")
    customer.watch(booking)
    people.worker.track(booking, 28.6262, 77.2105)
    expect(customer.page.locator(".marker.worker")).to_be_visible()
    customer.page.evaluate(OBSERVE_MARKER)
    people.worker.track(booking, 28.6263, 77.2106)
    # For example translate3d(612.37px, 401.2px, 0px).
    eventually(lambda: customer.page.evaluate(r"[...window.drawn].some((each) => /\.\d+px/.test(each))"))


OBSERVE_MARKER = """() => {
    const marker = document.querySelector('.marker.worker');
    window.drawn = new Set();
    new MutationObserver(() => window.drawn.add(marker.style.transform)).observe(marker, {attributes: true});
}"""


@pytest.mark.slow
def test_a_location_that_grows_old_is_called_that(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking()
    people.worker.status(booking, "on_the_way", eta_minutes=7)
    customer = visit(demo)
    customer.be("Asha Verma")
    then = datetime.now(UTC) - timedelta(seconds=40)
    people.worker.track(booking, 28.61, 77.2, timestamp=then.isoformat())
    customer.watch(booking)
    seen = customer.page.locator("#seen")
    expect(seen).to_have_text(re.compile(r"^Last seen \d+ seconds ago$"))
    shown = int(re.sub(r"\D", "", seen.inner_text()))
    assert 40 <= shown <= (datetime.now(UTC) - then).total_seconds() + 1
    expect(customer.page.locator(".marker.worker.stale")).to_be_visible()
    expect(customer.page.locator("#eta")).to_have_text("7 minutes away")
    customer.screenshot("booking-last-seen-desktop")
    people.worker.track(booking, 28.611, 77.201)
    expect(customer.page.locator("#seen")).to_have_text("Last seen just now")
    expect(customer.page.locator(".marker.worker.stale")).to_have_count(0)


def test_a_vague_location_moves_nothing(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking()
    people.worker.status(booking, "on_the_way")
    customer = visit(demo)
    customer.be("Asha Verma")
    customer.watch(booking)
    where = customer.page.locator("#where")
    people.worker.track(booking, 28.62, 77.2)
    expect(where).to_be_visible()
    before = where.inner_text()
    customer.page.evaluate(OBSERVE_WHERE)
    people.worker.call("POST", f"tracking/{booking}/", {"lat": 0, "lng": 0})
    people.worker.track(booking, 28.60, 77.2)
    expect(where).not_to_have_text(before)
    assert set(customer.page.evaluate("() => window.seen")) <= {before, where.inner_text()}


OBSERVE_WHERE = """() => {
    const where = document.querySelector('#where');
    window.seen = [];
    new MutationObserver(() => window.seen.push(where.textContent)).observe(where, {childList: true, subtree: true});
}"""


@pytest.mark.slow
def test_a_killed_server_and_what_happened_meanwhile(tmp_path: Path, visit: Visitor) -> None:
    with own_demo(tmp_path, TRACKING_MIN_INTERVAL="0") as (stack, people):
        booking = people.booking_id
        customer = visit(stack, PHONE, allowed=NO_NETWORK, service_worker=True)
        customer.be("Asha Verma")
        customer.watch(booking)
        people.worker.status(booking, "on_the_way")
        people.worker.track(booking, 28.61, 77.2)
        customer.expect_worker_at(28.61, 77.2)
        server = stack.http[0]
        server.kill()
        expect(customer.connection).to_have_text(re.compile(r"^(Reconnecting in \d+ s|Connecting…)$"))
        expect(customer.page.get_by_role("log")).to_contain_text("The connection is lost. Reconnecting.")
        expect(customer.connection).to_have_text(re.compile(r"^Reconnecting in \d+ s$"))
        customer.screenshot("booking-reconnecting-phone")
        server.start()
        people.worker.track(booking, 28.62, 77.21)
        people.worker.status(booking, "arrived")
        customer.expect_live()
        customer.expect_status("Arrived")
        customer.expect_timeline(1, 2, 3, 4, 5)
        customer.expect_worker_at(28.62, 77.21)


def test_a_device_without_network_says_so_and_catches_up(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking()
    customer = visit(demo, allowed=NO_NETWORK, service_worker=True)
    customer.be("Asha Verma")
    customer.watch(booking)
    customer.page.context.set_offline(True)
    expect(customer.connection).to_have_text(re.compile("^Offline"))
    people.worker.status(booking, "on_the_way")
    customer.page.context.set_offline(False)
    customer.expect_live()
    customer.expect_timeline(1, 2, 3, 4)
    expect(customer.page.locator("#unread")).not_to_be_hidden()


@pytest.mark.slow
def test_tokens_expire_and_sessions_end(tmp_path: Path, visit: Visitor) -> None:
    tiles = "https://tiles.example.org/{z}/{x}/{y}.png"
    with own_demo(tmp_path, JWT_ACCESS_LIFETIME="5", JWT_LEEWAY="0", MAP_TILE_URL=tiles) as (stack, people):
        customer = visit(
            stack,
            allowed=rf"{REFUSED}|{NO_NETWORK}|external: https://tiles\.example\.org|ERR_FAILED",
            service_worker=True,
        )
        asked: list[str] = []

        def no_tile(route: Route) -> None:
            asked.append(route.request.url)
            route.abort()

        customer.page.route("https://tiles.example.org/**", no_tile)
        customer.be("Asha Verma")
        customer.watch(people.booking_id)
        # The policy lets tiles through; where they cannot be loaded there is the grid.
        assert asked
        expect(customer.page.locator(".grid-tile").first).to_be_visible()
        with customer.page.expect_response("**/api/v1/auth/refresh/", timeout=60_000) as renewed:
            pass
        assert renewed.value.status == 200
        customer.expect_live()
        people.employer.sign_in()
        people.employer.status(people.booking_id, "cancelled")
        customer.expect_status("Cancelled")
        customer.expect_timeline(1, 2, 3, 4)
        # Its session is ended elsewhere, by the token that it then has: the page renews it every few seconds.
        with closing(Api(stack.base_url)) as elsewhere:

            def end_session() -> bool:
                kept = customer.page.evaluate("JSON.parse(sessionStorage.getItem('hunarmitra.session'))")
                return elsewhere.send("POST", "auth/logout/", {"refresh": kept["refresh"]}).status_code == 205

            eventually(end_session)
        expect(customer.page.get_by_role("alert")).to_have_text("Your session has ended. Please sign in again.")
        expect(customer.page.get_by_role("heading", name="Watch a booking, live")).to_be_visible()
        assert customer.page.evaluate("sessionStorage.length") == 0


def test_a_stranger_sees_nothing(demo: Stack, people: People, visit: Visitor) -> None:
    [somebody] = seed(demo, ["employer"])
    stranger = visit(demo, allowed=REFUSED)
    stranger.open()
    stranger.page.get_by_label("User name").fill(somebody.username)
    stranger.page.get_by_label("Password").fill("not this one")
    stranger.page.get_by_role("button", name="Sign in", exact=True).click()
    expect(stranger.page.get_by_role("alert")).to_have_text("The user name or the password is wrong.")
    stranger.sign_in(somebody)
    expect(stranger.page.get_by_text("No bookings yet")).to_be_visible()
    stranger.page.goto(f"{demo.base_url}/#/bookings/{people.booking_id}")
    expect(stranger.page.get_by_role("alert")).to_have_text("There is no such booking, or you have no part in it.")
    assert "Connaught" not in stranger.page.content()
    assert not any(people.booking_id in url for url in stranger.sockets)
    stranger.screenshot("stranger-desktop")


def test_a_worker_who_loses_the_booking_loses_sight_of_it(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking()
    [other] = seed(demo, ["worker"])
    worker = visit(demo, allowed=REFUSED)
    worker.be("Ravi Kumar")
    worker.watch(booking)
    people.admin.assign(booking, other.id)
    expect(worker.page.get_by_role("alert")).to_have_text("This booking is no longer shared with you.")


def test_notifications_arrive_and_are_read(demo: Stack, people: People, visit: Visitor) -> None:
    people.employer.mark_all_read()
    customer = visit(demo)
    customer.be("Asha Verma")
    expect(customer.page.locator("#bookings .booking").first).to_be_visible()
    customer.expect_live()
    expect(customer.page.locator("#unread")).to_be_hidden()
    booking = people.new_booking(service="Fan repair")
    expect(customer.page.locator("#unread")).to_have_text("2")
    expect(customer.page.locator(".toast")).to_contain_text("Fan repair")
    expect(customer.page.locator(f"a[data-id='{booking}']")).to_contain_text("Confirmed")
    customer.page.locator(".bell").click()
    panel = customer.page.get_by_role("region", name="Notifications")
    expect(panel.locator("li.unread")).to_have_count(2)
    customer.screenshot("notifications-desktop")
    panel.get_by_role("button", name="Mark as read").first.click()
    expect(customer.page.locator("#unread")).to_have_text("1")
    panel.get_by_role("button", name="Mark all as read").click()
    expect(customer.page.locator("#unread")).to_be_hidden()
    expect(panel.locator("li.unread")).to_have_count(0)
    people.worker.status(booking, "on_the_way")
    expect(customer.page.locator("#unread")).to_have_text("1")
    customer.page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    customer.page.reload()
    expect(customer.page.locator("#unread")).to_have_text("1")


def test_staff_assign_a_worker(demo: Stack, people: People, visit: Visitor) -> None:
    booking = str(people.employer.create_booking(service="Ceiling painting")["id"])
    customer, staff = visit(demo), visit(demo)
    customer.be("Asha Verma")
    customer.watch(booking)
    customer.expect_status("Requested")
    staff.be("Meera Iyer")
    expect(staff.page.get_by_role("heading", name="All bookings")).to_be_visible()
    staff.page.get_by_label("Show").select_option("Requested")
    staff.page.get_by_role("link", name="Ceiling painting").click()
    staff.page.get_by_label("Worker", exact=True).select_option(str(people.worker.me()["id"]))
    staff.screenshot("assign-desktop")
    staff.page.get_by_role("button", name="Assign", exact=True).click()
    for each in (customer, staff):
        each.expect_status("Confirmed")
        expect(each.page.locator("#headline")).to_have_text("Ravi Kumar will come")
        each.expect_timeline(1, 2, 3)
    expect(staff.page.get_by_role("button", name="Reassign")).to_be_visible()
