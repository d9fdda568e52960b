"""The worker's view on a phone: the work step by step, the shared location, and the network that comes and goes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Geolocation, ViewportSize, WebSocketRoute, expect

from tests.browser.conftest import People, Visitor
from tests.browser.test_customer_view import scrolls_sideways
from tests.browser.test_watching import NO_NETWORK
from tests.support.actors import Actors
from tests.support.browser import DESKTOP, NARROW, Visit
from tests.support.eventually import eventually
from tests.support.stack import Stack, embedded_stack

SMALL_PHONE: ViewportSize = {"width": 360, "height": 740}
SITE = (28.6315, 77.2167)
DENIED = "The browser may not use your location."


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Actors]]:
    """The page as a service has it: no demo, and the locations of the device."""
    with (
        embedded_stack(
            tmp_path_factory.mktemp("served"), server="hunarmitra_ws", DEMO_PAGE="1", TRACKING_MIN_INTERVAL="0.2"
        ) as stack,
        closing(Actors.of(stack)) as actors,
    ):
        yield stack, actors


def at(lat: float, lng: float = SITE[1], accuracy: float = 9) -> Geolocation:
    return {"latitude": lat, "longitude": lng, "accuracy": accuracy}


def enter(visitor: Visit, actors: Actors, role: str, booking: str) -> Visit:
    """Sign in by the form and open the booking."""
    visitor.open()
    visitor.sign_in(getattr(actors, role).user)
    visitor.watch(booking)
    return visitor


def phone(visit: Visitor, served: tuple[Stack, Actors], booking: str, *, allowed: str = "$^") -> Visit:
    """The worker's phone, which may use its location."""
    stack, actors = served
    worker = visit(stack, SMALL_PHONE, allowed=allowed)
    worker.page.context.grant_permissions(["geolocation"], origin=stack.base_url)
    return enter(worker, actors, "worker", booking)


def switch(worker: Visit) -> None:
    worker.page.get_by_role("switch", name="Share my location").click()


def expect_sharing(worker: Visit, words: str) -> None:
    expect(worker.page.locator("#sharing")).to_have_text(words)


@pytest.mark.slow
def test_an_older_location_of_the_server_does_not_move_the_workers_own_marker(
    served: tuple[Stack, Actors], visit: Visitor
) -> None:
    stack, actors = served
    booking = actors.new_booking("on_the_way", lat=SITE[0], lng=SITE[1])
    clients: list[WebSocketRoute] = []

    def relay(client: WebSocketRoute) -> None:
        client.connect_to_server()
        clients.append(client)

    worker = visit(stack, SMALL_PHONE)
    worker.page.route_web_socket(re.compile(f"/ws/bookings/{booking}/"), relay)
    worker.page.context.grant_permissions(["geolocation"], origin=stack.base_url)
    worker.page.context.set_geolocation(at(28.61))
    enter(worker, actors, "worker", booking)
    switch(worker)
    worker.expect_worker_at(28.61, SITE[1])
    worker.page.evaluate("""() => {
      window.shown = [];
      const read = () => window.shown.push(document.getElementById('map').dataset.worker);
      new MutationObserver(read).observe(document.getElementById('map'), { attributes: true });
    }""")
    earlier = {"lat": 28.62, "lng": SITE[1], "timestamp": "2026-01-01T00:00:00Z", "actor": "worker"}
    clients[-1].send(json.dumps({"type": "location_update", "booking_id": booking, **earlier}))
    actors.worker.status(booking, "arrived")
    worker.expect_status("Arrived")
    assert f"28.62,{SITE[1]}" not in worker.page.evaluate("shown")


def test_the_work_step_by_step(served: tuple[Stack, Actors], visit: Visitor) -> None:
    stack, actors = served
    booking = actors.new_booking(lat=SITE[0], lng=SITE[1])
    worker, customer = phone(visit, served, booking), enter(visit(stack), actors, "employer", booking)
    page = worker.page
    page.context.set_geolocation(at(28.62))
    expect(page.get_by_role("button", name="I have arrived")).to_have_count(0)
    page.get_by_role("button", name="Set out").click()
    customer.expect_status("On the way")
    expect_sharing(worker, "The customer sees you on the map.")
    expect(page.locator("#sent")).to_have_text(re.compile(r"^Sent \d+ seconds? ago, exact to 9 m\.$"))
    customer.expect_worker_at(28.62, SITE[1])
    worker.expect_worker_at(28.62, SITE[1])
    worker.screenshot("worker-on-the-way-phone")
    # Far away, an arrival is asked about; the answer may be no.
    page.get_by_role("button", name="I have arrived").click()
    expect(page.locator(".work-question")).to_contain_text("You are 1.3 km away from the site.")
    page.get_by_role("button", name="Not yet").click()
    expect(page.get_by_role("button", name="I have arrived")).to_be_focused()
    page.context.set_geolocation(at(SITE[0]))
    customer.expect_worker_at(*SITE)
    page.get_by_role("button", name="I have arrived").click()
    customer.expect_status("Arrived")
    expect(page.get_by_role("switch")).to_have_attribute("aria-checked", "false")
    page.get_by_role("button", name="Complete the work").click()
    worker.screenshot("worker-complete-phone")
    page.get_by_role("button", name="Yes, complete it").click()
    for each in (worker, customer):
        each.expect_status("Completed")
        each.expect_timeline(1, 2, 3, 4, 5, 6)
        expect(each.page.locator(".marker.worker")).to_have_count(0)
    expect(page.get_by_text("This booking is done.")).to_be_visible()
    expect(page.get_by_role("switch")).to_have_count(0)


@pytest.mark.slow
def test_a_denied_location_says_what_to_do_and_goes_on_when_it_is_allowed(
    served: tuple[Stack, Actors], visit: Visitor
) -> None:
    stack, actors = served
    booking = actors.new_booking(lat=SITE[0], lng=SITE[1])
    worker = enter(visit(stack, SMALL_PHONE), actors, "worker", booking)
    worker.page.context.set_geolocation(at(28.62))
    switch(worker)
    expect_sharing(worker, DENIED)
    expect(worker.page.locator(".steps li").first).to_contain_text("Open the settings of this site")
    worker.page.locator(".sharing-help").scroll_into_view_if_needed()
    worker.screenshot("worker-denied-phone")
    assert worker.accessibility_violations() == []
    worker.page.context.grant_permissions(["geolocation"], origin=stack.base_url)
    # The permission alone is enough; the button is for browsers that do not tell of it.
    expect_sharing(worker, "The customer sees you on the map.")


def test_a_phone_whose_location_is_off(served: tuple[Stack, Actors], visit: Visitor) -> None:
    _, actors = served
    booking = actors.new_booking(lat=SITE[0], lng=SITE[1])
    worker = phone(visit, served, booking)
    worker.page.context.set_geolocation(None)
    switch(worker)
    expect_sharing(worker, "The phone gives no location.")
    worker.screenshot("worker-unavailable-phone")
    worker.page.context.set_geolocation(at(28.62))
    expect_sharing(worker, "The customer sees you on the map.")


def test_a_step_without_network_is_sent_when_it_returns(served: tuple[Stack, Actors], visit: Visitor) -> None:
    _, actors = served
    booking = actors.new_booking(lat=SITE[0], lng=SITE[1])
    worker = phone(visit, served, booking, allowed=NO_NETWORK)
    worker.page.context.set_geolocation(at(28.62))
    worker.page.context.set_offline(True)
    worker.page.get_by_role("button", name="Set out").click()
    expect(worker.page.get_by_role("alert")).to_have_text(
        "Waiting for the network. “Set out” is sent when it returns. Keep this page open."
    )
    worker.screenshot("worker-offline-phone")
    worker.page.context.set_offline(False)
    worker.expect_status("On the way")
    expect(worker.page.get_by_role("button", name="I have arrived")).to_be_enabled()
    expect(worker.page.get_by_role("alert")).to_have_count(0)


@pytest.mark.slow
def test_sharing_goes_on_in_other_views_and_after_a_reload(served: tuple[Stack, Actors], visit: Visitor) -> None:
    stack, actors = served
    booking = actors.new_booking("on_the_way", lat=SITE[0], lng=SITE[1])
    worker, customer = phone(visit, served, booking), enter(visit(stack), actors, "employer", booking)
    worker.page.context.set_geolocation(at(28.61))
    switch(worker)
    customer.expect_worker_at(28.61, SITE[1])
    worker.page.get_by_role("link", name="Your bookings").click()
    expect(worker.page.locator(f"a[data-id='{booking}']")).to_be_visible()
    worker.page.context.set_geolocation(at(28.611))
    customer.expect_worker_at(28.611, SITE[1])
    worker.watch(booking)
    worker.page.reload()
    expect(worker.page.locator("#sharing")).to_be_visible()
    # A phone on its way reports again and again; Chromium's substitute does not always answer a new document.
    worker.page.context.set_geolocation(at(28.612))
    expect_sharing(worker, "The customer sees you on the map.")
    customer.expect_worker_at(28.612, SITE[1])
    worker.page.get_by_role("button", name="Sign out").click()
    expect(worker.page.get_by_role("heading", name="Watch a booking, live")).to_be_visible()
    assert worker.page.evaluate("sessionStorage.length") == 0


def test_a_worker_who_cannot_come_gets_a_message_for_staff(served: tuple[Stack, Actors], visit: Visitor) -> None:
    stack, actors = served
    booking = actors.new_booking(service="Fan repair")
    worker = phone(visit, served, booking)
    worker.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=stack.base_url)
    worker.page.get_by_text("I cannot do this booking").click()
    worker.page.get_by_role("button", name="Copy the message").click()
    expect(worker.page.get_by_role("button", name="Copied.")).to_be_visible()
    copied = worker.page.evaluate("navigator.clipboard.readText()")
    assert "Fan repair" in copied
    assert booking in copied
    worker.expect_status("Confirmed")


@pytest.mark.slow
def test_the_map_shows_accuracy_and_heading(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking(lat=SITE[0], lng=SITE[1])
    people.worker.status(booking, "on_the_way")
    customer = visit(demo)
    customer.be("Asha Verma")
    customer.watch(booking)
    expect(customer.page.locator(".map-note")).to_contain_text("An invented city")
    expect(customer.page.locator("canvas.city-tile").first).to_be_visible()
    body = {"lat": 28.6262, "lng": 77.2105, "accuracy": 120, "heading": 90, "speed": 8}
    people.worker.call("POST", f"tracking/{booking}/", body)
    shown = customer.page.locator("#map")
    expect(shown).to_have_attribute("data-accuracy", "120")
    expect(shown).to_have_attribute("data-heading", "90")
    expect(customer.page.locator("path.accuracy")).to_be_visible()
    expect(customer.page.locator(".marker.worker .direction")).to_be_visible()
    customer.screenshot("booking-accuracy-desktop")
    people.worker.call("POST", f"tracking/{booking}/", {"lat": 28.6263, "lng": 77.2105})
    expect(shown).to_have_attribute("data-accuracy", "0")
    expect(customer.page.locator(".marker.worker .direction")).to_be_hidden()


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in the booking's view", "in the list"])
def test_the_customer_is_told_of_the_arrival(served: tuple[Stack, Actors], visit: Visitor, *, elsewhere: bool) -> None:
    stack, actors = served
    booking = actors.new_booking("on_the_way", service="Fan repair")
    customer = visit(stack, service_worker=True)
    customer.page.context.grant_permissions(["notifications"], origin=stack.base_url)
    enter(customer, actors, "employer", booking)
    customer.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    expect(customer.page.get_by_text("You will be told when the worker arrives")).to_be_visible()
    if elsewhere:
        customer.page.get_by_role("link", name="Your bookings").click()
        expect(customer.page.get_by_role("heading", name="Your bookings")).to_be_visible()
    actors.worker.status(booking, "arrived")
    if not elsewhere:
        customer.expect_status("Arrived")
    read = """navigator.serviceWorker.ready
      .then((ready) => ready.getNotifications())
      .then((all) => all.map((each) => each.title))"""
    eventually(lambda: customer.page.evaluate(read) == [f"{actors.worker.user.name} has arrived"])


@pytest.mark.slow
def test_an_arrival_that_rest_shows_before_its_event_is_told_of_too(
    served: tuple[Stack, Actors], visit: Visitor
) -> None:
    stack, actors = served
    booking = actors.new_booking("on_the_way")
    customer = visit(stack)
    held: list[tuple[WebSocketRoute, str | bytes]] = []

    def relay(client: WebSocketRoute) -> None:
        def forward(message: str | bytes) -> None:
            frame = json.loads(message)
            if (frame["type"], frame.get("status")) == ("booking_status", "arrived"):
                held.append((client, message))
            else:
                client.send(message)

        client.connect_to_server().on_message(forward)

    def expect_held(count: int) -> None:
        eventually(lambda: customer.page.evaluate("1") and len(held) == count)

    customer.page.route_web_socket(re.compile(f"/ws/bookings/{booking}/"), relay)
    enter(customer, actors, "employer", booking)
    actors.worker.status(booking, "arrived")
    expect_held(1)
    # The page reads the booking at each new snapshot.
    held[0][0].close(code=1011)
    expect_held(2)
    customer.expect_status("Arrived")
    announced = customer.page.locator("#announcements")
    expect(announced).not_to_contain_text("has arrived")
    held[1][0].send(held[1][1])
    expect(announced).to_contain_text(f"{actors.worker.user.name} has arrived")


@pytest.mark.slow
def test_the_installed_page_opens_without_network(demo: Stack, people: People, visit: Visitor) -> None:
    customer = visit(demo, SMALL_PHONE, allowed=NO_NETWORK, service_worker=True)
    customer.be("Asha Verma")
    page = customer.page
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    manifest = page.evaluate("fetch(document.querySelector('link[rel=manifest]').href).then((answer) => answer.json())")
    assert manifest["display"] == "standalone"
    page.context.set_offline(True)
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Not there")
    expect(page.get_by_role("alert")).to_have_text("The server cannot be reached.")
    customer.screenshot("installed-offline-phone")
    page.context.set_offline(False)
    expect(page.locator("#bookings .booking").first).to_be_visible()


@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [
        pytest.param(NARROW, "light", id="320-light"),
        pytest.param(NARROW, "dark", id="320-dark", marks=pytest.mark.variant),
        pytest.param(SMALL_PHONE, "light", id="360-light", marks=pytest.mark.variant),
        pytest.param(SMALL_PHONE, "dark", id="360-dark"),
        pytest.param(DESKTOP, "light", id="desktop-light", marks=pytest.mark.variant),
        pytest.param(DESKTOP, "dark", id="desktop-dark"),
    ],
)
def test_every_state_fits_and_axe_finds_nothing(
    demo: Stack, people: People, visit: Visitor, viewport: ViewportSize, scheme: str
) -> None:
    booking = people.new_booking(
        lat=SITE[0], lng=SITE[1], service="Kitchen tap repair", address="Block E, Connaught Place"
    )
    worker = visit(demo, viewport, "dark" if scheme == "dark" else "light", still=True)

    def look(state: str) -> None:
        worker.screenshot(f"worker-{state}-{viewport['width']}-{scheme}")
        assert worker.accessibility_violations() == [], state
        assert not scrolls_sideways(worker.page), state

    worker.be("Ravi Kumar")
    worker.watch(booking)
    expect(worker.page.get_by_role("button", name="Drive the demo")).to_be_visible()
    action = worker.page.locator("#action")
    # The one primary action is in reach without scrolling, and large enough for a thumb.
    expect(action).to_be_in_viewport(ratio=1)
    box = action.bounding_box()
    assert box
    assert box["height"] >= 60
    look("confirmed")
    action.click()
    expect_sharing(worker, "The customer sees you on the map.")
    expect(action).to_have_text("I have arrived")
    look("sharing")
    worker.page.get_by_text("I cannot do this booking").click()
    action.click()
    expect(worker.page.locator("#action-yes")).to_be_in_viewport(ratio=1)
    look("asked")


def test_the_worker_needs_no_pointer(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking(lat=SITE[0], lng=SITE[1])
    worker = visit(demo, SMALL_PHONE)
    worker.be("Ravi Kumar")
    worker.watch(booking)
    page = worker.page
    expect(page.get_by_role("button", name="Drive the demo")).to_be_visible()
    reached = []
    page.locator("h1").focus()
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"share", "SUMMARY", "action", "drive"} <= set(reached)
    page.locator("#share").press("Space")
    expect(page.locator("#share")).to_have_attribute("aria-checked", "true")
    page.locator("#action").press("Enter")
    worker.expect_status("On the way")
    page.locator("#action").press("Enter")
    expect(page.locator("#action-yes")).to_be_focused()
    page.keyboard.press("Enter")
    worker.expect_status("Arrived")
