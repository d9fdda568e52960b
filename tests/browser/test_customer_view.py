"""The customer's view offline, with long words, and on narrow screens."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, ViewportSize, WebSocketRoute, expect

from tests.browser.conftest import People, Visitor
from tests.browser.test_watching import NO_NETWORK
from tests.support.browser import NARROW, Language, Visit
from tests.support.eventually import eventually
from tests.support.stack import Stack

SMALL_PHONE: ViewportSize = {"width": 360, "height": 740}
LONG_WORD = "Donaudampfschifffahrtsgesellschaft" * 4


def scrolls_sideways(page: Page) -> bool:
    wide: bool = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return wide


def box(page: Page, selector: str) -> dict[str, float]:
    found: dict[str, float] = page.locator(selector).first.evaluate(
        "(element) => { const { left, top, right, bottom } = element.getBoundingClientRect();"
        " return { left, top, right, bottom }; }"
    )
    return found


@pytest.mark.slow
def test_a_booking_opened_offline_loads_when_the_network_returns(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking()
    customer = visit(demo, allowed=NO_NETWORK, service_worker=True)
    customer.be("Asha Verma")
    row = customer.page.locator(f"a[data-id='{booking}']")
    expect(row).to_be_visible()
    customer.page.context.set_offline(True)
    row.click()
    expect(customer.page.get_by_role("alert")).to_have_text("The server cannot be reached.")
    customer.page.context.set_offline(False)
    expect(customer.page.locator(f"article[data-id='{booking}']")).to_be_visible()
    customer.expect_live()
    customer.expect_timeline(1, 2, 3)


@pytest.mark.slow
def test_a_list_opened_offline_loads_when_the_network_returns(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking()
    customer = visit(demo, allowed=NO_NETWORK, service_worker=True)
    customer.be("Asha Verma")
    customer.watch(booking)
    customer.page.context.set_offline(True)
    customer.page.get_by_role("link", name="Your bookings").click()
    expect(customer.page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
    customer.page.context.set_offline(False)
    expect(customer.page.locator(f"a[data-id='{booking}']")).to_be_visible()
    expect(customer.page.get_by_role("alert")).to_be_hidden()


def test_a_notification_leaves_the_list_and_its_place(demo: Stack, people: People, visit: Visitor) -> None:
    oldest = people.new_booking(service="The oldest")
    for _ in range(22):
        people.employer.create_booking()
    customer = visit(demo, SMALL_PHONE)
    customer.be("Asha Verma")
    rows = customer.page.locator("#bookings .booking")
    expect(rows).to_have_count(20)
    customer.page.get_by_role("button", name="Show more").click()
    row = customer.page.locator(f"a[data-id='{oldest}']")
    row.scroll_into_view_if_needed()
    row.focus()
    count = rows.count()
    assert count > 20
    before = customer.page.evaluate("scrollY")
    people.worker.status(oldest, "on_the_way")
    expect(row).to_contain_text("On the way")
    expect(row).to_be_focused()
    assert rows.count() == count
    assert customer.page.evaluate("scrollY") == before
    newest = people.new_booking(service="The newest")
    expect(rows.first).to_have_attribute("data-id", newest)
    assert rows.count() == count + 1
    expect(row).to_be_in_viewport()


@pytest.mark.slow
@pytest.mark.parametrize(
    "viewport",
    [pytest.param(NARROW, id="320"), pytest.param(SMALL_PHONE, id="360", marks=pytest.mark.variant)],
)
def test_every_view_fits_a_narrow_screen_with_long_words(
    demo: Stack, people: People, visit: Visitor, viewport: ViewportSize
) -> None:
    booking = people.new_booking(service=LONG_WORD[:100], address=LONG_WORD, notes=LONG_WORD)
    people.worker.status(booking, "on_the_way", eta_minutes=17)
    people.worker.track(booking, 28.6262, 77.2105)
    width = viewport["width"]

    def look(one: Visit, view: str) -> None:
        one.screenshot(f"{view}-{width}")
        assert not scrolls_sideways(one.page), view

    customer, staff = (visit(demo, viewport, still=True) for _ in range(2))
    customer.open()
    expect(customer.page.get_by_role("button", name="Asha Verma")).to_be_visible()
    look(customer, "sign-in")
    customer.be("Asha Verma")
    expect(customer.page.locator(f"a[data-id='{booking}']")).to_be_visible()
    look(customer, "bookings")
    customer.watch(booking)
    expect(customer.page.locator(".marker.worker")).to_be_visible()
    look(customer, "booking")
    customer.page.locator(".bell").click()
    look(customer, "notifications")
    staff.be("Meera Iyer")
    expect(staff.page.locator(f"a[data-id='{booking}']")).to_be_visible()
    look(staff, "bookings-staff")
    staff.watch(booking)
    expect(staff.page.get_by_role("button", name="Reassign")).to_be_visible()
    look(staff, "booking-staff")


@pytest.mark.parametrize("language", ["en", "hi"])
@pytest.mark.parametrize("viewport", [NARROW, SMALL_PHONE], ids=["320", "360"])
def test_the_bar_holds_the_longest_connection_state(
    demo: Stack, people: People, visit: Visitor, viewport: ViewportSize, language: Language
) -> None:
    booking = people.new_booking()
    customer = visit(demo, viewport, language=language)
    connections: list[WebSocketRoute] = []
    offline = False

    def relay(connection: WebSocketRoute) -> None:
        if offline:
            connection.close()
        else:
            connection.connect_to_server()
            connections.append(connection)

    customer.page.route_web_socket(re.compile("/ws/"), relay)
    customer.be("Asha Verma")
    customer.watch(booking)
    offline = True
    customer.page.evaluate("Object.defineProperty(navigator, 'onLine', { get: () => false })")
    for connection in connections:
        connection.close(code=1011)
    words = {"en": r"^Offline, trying again in \d+ s$", "hi": r"^ऑफ़लाइन, \d+ सेकंड में फिर कोशिश$"}
    expect(customer.connection).to_have_text(re.compile(words[language]))
    customer.screenshot(f"bar-offline-{viewport['width']}-{language}")
    assert not scrolls_sideways(customer.page)
    boxes: list[dict[str, Any]] = customer.page.locator("#bar > *:visible").evaluate_all(
        "(parts) => parts.map((part) => part.getBoundingClientRect().toJSON())"
    )
    bar = box(customer.page, "#bar")
    for left, right in itertools.pairwise(boxes):
        assert left["right"] <= right["left"]
    for part in boxes:
        assert bar["left"] <= part["left"] <= part["right"] <= bar["right"]
        assert bar["top"] <= part["top"] <= part["bottom"] <= bar["bottom"]


def test_the_badge_leaves_the_bell_visible(demo: Stack, people: People, visit: Visitor) -> None:
    customer = visit(demo, SMALL_PHONE)
    customer.be("Asha Verma")
    people.new_booking()
    expect(customer.page.locator("#unread")).to_be_visible()
    # The widest badge, measured before anything can change it.
    hidden: float = customer.page.evaluate(
        """() => {
          const badge = document.getElementById('unread');
          badge.textContent = '99+';
          const boxes = [badge, document.querySelector('.bell-icon')].map((each) => each.getBoundingClientRect());
          const [over, icon] = boxes;
          const along = Math.min(over.right, icon.right) - Math.max(over.left, icon.left);
          const down = Math.min(over.bottom, icon.bottom) - Math.max(over.top, icon.top);
          return (Math.max(0, along) * Math.max(0, down)) / (icon.width * icon.height);
        }"""
    )
    assert hidden < 0.15


@pytest.mark.parametrize(("language", "button"), [("en", "Drive the demo"), ("hi", "डेमो चलाएँ")])
def test_the_button_stays_where_it_is_when_an_eta_comes(
    demo: Stack, people: People, visit: Visitor, language: Language, button: str
) -> None:
    booking = people.new_booking()
    customer = visit(demo, SMALL_PHONE, language=language)
    customer.be("Asha Verma")
    customer.watch(booking)
    expect(customer.page.get_by_role("button", name=button)).to_be_enabled()
    expect(customer.page.locator("#eta")).to_be_hidden()
    before = box(customer.page, "#drive")
    people.worker.status(booking, "on_the_way", eta_minutes=7)
    people.worker.track(booking, 28.6262, 77.2105)
    expect(customer.page.locator("#eta")).to_be_visible()
    expect(customer.page.locator("#seen")).to_be_visible()
    assert box(customer.page, "#drive") == before


def test_a_booking_without_coordinates_says_so_until_the_worker_is_seen(
    demo: Stack, people: People, visit: Visitor
) -> None:
    booking = people.new_booking(lat=None, lng=None)
    customer = visit(demo)
    customer.be("Asha Verma")
    customer.watch(booking)
    note = customer.page.locator(".map-note")
    expect(note).to_contain_text("this booking has no coordinates")
    expect(customer.page.locator(".grid-tile")).to_have_count(0)
    customer.screenshot("booking-without-coordinates-desktop")
    people.worker.status(booking, "on_the_way")
    people.worker.track(booking, 28.6262, 77.2105)
    expect(customer.page.locator(".marker.worker")).to_be_visible()
    expect(note).to_have_text("Only a grid: MAP_TILE_URL is not set.")
    # Streets, not countries.
    expect(customer.page.locator(".leaflet-control-scale-line")).to_have_text(re.compile(r"^\d+ m$"))


def test_a_view_that_is_opened_while_the_notifications_load_stays(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking()
    customer = visit(demo)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    customer.page.route("**/api/v1/notifications/**", hold)
    customer.be("Asha Verma")
    customer.page.goto(f"{demo.base_url}/#/bookings/{booking}")
    article = customer.page.locator(f"article[data-id='{booking}']")
    article.evaluate("(each) => { each.dataset.first = 'yes'; }")
    assert held
    for each in held:
        each.continue_()
    customer.page.unroute("**/api/v1/notifications/**")
    customer.expect_live()
    customer.page.wait_for_load_state("networkidle")
    expect(article).to_have_attribute("data-first", "yes")


def test_the_title_tells_status_and_eta(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking()
    customer = visit(demo)
    customer.be("Asha Verma")
    customer.watch(booking)
    expect(customer.page).to_have_title("Confirmed · plumbing · HunarMitra")
    people.worker.status(booking, "on_the_way", eta_minutes=7)
    expect(customer.page).to_have_title("7 min · On the way · plumbing · HunarMitra")
    people.worker.status(booking, "arrived")
    expect(customer.page).to_have_title("Arrived · plumbing · HunarMitra")
    customer.page.get_by_role("link", name="Your bookings").click()
    expect(customer.page).to_have_title("Bookings · HunarMitra")


def test_the_worker_is_addressed_in_the_second_person(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking()
    worker = visit(demo)
    worker.be("Ravi Kumar")
    worker.watch(booking)
    headline = worker.page.locator("#headline")
    expect(headline).to_have_text("You are booked")
    people.worker.status(booking, "on_the_way")
    expect(headline).to_have_text("You are on the way")
    people.worker.status(booking, "arrived")
    expect(headline).to_have_text("You have arrived")


def test_words_of_people_have_their_own_direction(demo: Stack, people: People, visit: Visitor) -> None:
    words = "إصلاح الأنابيب"
    booking = people.new_booking(service=words, address=words, notes=words)
    customer = visit(demo)
    customer.be("Asha Verma")
    row = customer.page.locator(f"a[data-id='{booking}']")
    expect(row).to_be_visible()

    def directions(selector: str) -> list[str]:
        found: list[str] = (
            customer.page.locator(selector)
            .filter(has_text=words)
            .evaluate_all("(elements) => elements.map((element) => getComputedStyle(element).direction)")
        )
        return found

    # The view may be drawn again at any moment: the elements of before have no direction then.
    in_row = f"a[data-id='{booking}'] strong, a[data-id='{booking}'] .foot:nth-of-type(2)"
    eventually(lambda: directions(in_row) == ["rtl", "rtl"])
    customer.watch(booking)
    expect(customer.page.locator(".details dd").filter(has_text=words)).to_be_visible()
    eventually(lambda: directions("h1, header .foot, .details dd") == ["rtl", "rtl", "rtl"])
    customer.page.locator(".bell").click()
    expect(customer.page.locator(".notifications li").filter(has_text=words).first).to_be_visible()
    assert set(directions(".notifications p:not(.foot)")) <= {"rtl", "ltr"}
    assert customer.page.locator(".notifications li p:not(.foot):not([dir=auto])").count() == 0
