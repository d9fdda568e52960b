"""The map of all bookings, for staff: what moves, the list, an assignment, a crowd, and its accessibility."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, ViewportSize, expect

from tests.browser.conftest import People, Visitor
from tests.browser.test_watching import NO_NETWORK
from tests.support.actors import Actors
from tests.support.browser import DESKTOP, PHONE, PUT_OFF, Scheme, Visit, choices_cut_off
from tests.support.eventually import eventually
from tests.support.stack import Stack, embedded_stack

NARROW: ViewportSize = {"width": 320, "height": 640}
SCRIPTS = Path(__file__).parent / "scripts"
CROWD = 2000

Served = tuple[Stack, Actors]


def served_stack(directory: Path) -> Iterator[Served]:
    with (
        embedded_stack(directory, server="hunarmitra_ws", DEMO_PAGE="1", TRACKING_MIN_INTERVAL="0") as stack,
        closing(Actors.of(stack)) as actors,
    ):
        yield stack, actors


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from served_stack(tmp_path_factory.mktemp("dispatch"))


def other_booking(actors: Actors, **fields: Any) -> str:
    """Make a booking whose worker is `other_worker`, on the way."""
    booking = str(actors.employer.create_booking(**fields)["id"])
    actors.admin.assign(booking, actors.other_worker.id)
    actors.other_worker.status(booking, "on_the_way")
    return booking


def open_map(staff: Visit, actors: Actors) -> Visit:
    staff.page.add_init_script(path=SCRIPTS / "canvas.js")
    staff.open()
    staff.sign_in(actors.admin.user)
    staff.page.get_by_role("link", name="Live map").click()
    expect(staff.page.get_by_role("heading", level=1)).to_have_text("Live map")
    staff.expect_live()
    return staff


def row(staff: Visit, booking: str) -> Locator:
    return staff.page.locator(f"#dispatch-list li[data-id='{booking}']")


def drawn(page: Page) -> list[tuple[float, float]]:
    """Return the places of the markers in the last frame."""
    return [(x, y) for x, y in page.evaluate("window.drawn")]


def places(page: Page) -> list[set[tuple[float, float]]]:
    """Return at which places each marker is drawn within two seconds. The order of the markers does not change."""
    found: list[list[list[float]]] = page.evaluate(
        """async () => {
          const found = window.drawn.map(() => []);
          for (const end = performance.now() + 2000; performance.now() < end; ) {
            await new Promise(requestAnimationFrame);
            window.drawn.slice(0, found.length).forEach((place, index) => found[index].push(place));
          }
          return found;
        }"""
    )
    return [{(x, y) for x, y in each} for each in found]


@pytest.mark.slow
def test_a_dispatcher_sees_two_workers_move_and_selects_them(served: Served, visit: Visitor) -> None:
    stack, actors = served
    one = actors.new_booking("on_the_way", service="Tap repair", lat=28.63, lng=77.22)
    two = other_booking(actors, service="Fan repair", lat=28.64, lng=77.2)
    actors.worker.track(one, 28.62, 77.21)
    actors.other_worker.track(two, 28.63, 77.19)
    staff = open_map(visit(stack), actors)
    page = staff.page
    expect(page.locator("#dispatch-map")).to_have_attribute("data-markers", re.compile(r"^[2-9]"))
    expect(row(staff, one)).to_contain_text("Last seen")
    step = iter(range(1, 1000))

    def both_glide() -> bool:
        north = next(step) * 0.0004
        actors.worker.track(one, 28.62 + north, 77.21)
        actors.other_worker.track(two, 28.63 + north, 77.19)
        moved = [each for each in places(page) if len(each) > 3]
        return len(moved) >= 2 and all(any(y % 1 for _, y in each) for each in moved)

    eventually(both_glide)
    staff.screenshot("dispatch-moving-desktop")
    # A press on a marker selects its booking in the list, and the other way round the marker comes to the middle.
    row(staff, two).get_by_role("button").click()
    expect(row(staff, two).get_by_role("button", expanded=True)).to_be_visible()
    box = page.locator("#dispatch-map").bounding_box()
    assert box
    middle = (box["width"] / 2, box["height"] / 2)
    eventually(lambda: any(abs(x - middle[0]) < 2 and abs(y - middle[1]) < 2 for x, y in drawn(page)))
    page.get_by_role("button", name="Show everything").click()
    marker = next(place for place in drawn(page) if place not in drawn(page)[-2:])  # the last two: marker and ring
    page.locator("#dispatch-map").click(position={"x": marker[0], "y": marker[1]})
    expect(page.locator("#dispatch-list .selected")).to_have_count(1)
    expect(row(staff, two).get_by_role("button", expanded=False).first).to_be_visible()
    # A status is shown at once, and the end of the selected booking stays until another one is selected.
    selected = str(page.locator("#dispatch-list .selected").get_attribute("data-id"))
    worker = actors.worker if selected == one else actors.other_worker
    worker.status(selected, "arrived")
    expect(row(staff, selected)).to_have_attribute("data-status", "arrived")
    worker.status(selected, "completed")
    expect(row(staff, selected)).to_contain_text("This booking is over.")
    page.get_by_role("link", name="Open the booking").click()
    staff.expect_status("Completed")
    staff.expect_live()
    page.go_back()
    expect(page.locator("#dispatch-map")).to_have_attribute("data-markers", re.compile(r"^\d"))
    expect(row(staff, selected)).to_have_count(0)


def test_a_dispatcher_filters_searches_and_assigns(served: Served, visit: Visitor) -> None:
    stack, actors = served
    waiting = str(actors.employer.create_booking(service="Wall painting", address="7 Gole Market")["id"])
    confirmed = actors.new_booking("confirmed", service="Door lock")
    staff = open_map(visit(stack), actors)
    page = staff.page
    show, search, list_ = page.get_by_label("Show"), page.get_by_label("Search"), page.locator("#dispatch-list li")
    expect(row(staff, confirmed)).to_be_visible()
    show.select_option("Requested")
    expect(row(staff, waiting)).to_be_visible()
    expect(row(staff, confirmed)).to_have_count(0)
    show.select_option("Every status")
    search.fill("gole PAINTING")
    expect(list_).to_have_count(1)
    expect(page.get_by_role("log")).to_contain_text("1 booking found.")
    search.fill("nothing like this")
    expect(list_).to_have_count(0)
    expect(page.locator("#dispatch-empty")).to_have_text(re.compile("^No booking under way has this status and these"))
    expect(search).to_have_attribute("dir", "auto")
    search.fill(actors.worker.user.name)
    expect(row(staff, confirmed)).to_be_visible()
    expect(row(staff, waiting)).to_have_count(0)
    search.fill("")
    show.select_option("Requested")
    row(staff, waiting).get_by_role("button").click()
    expect(row(staff, waiting)).to_contain_text("7 Gole Market")
    page.get_by_label("Worker", exact=True).select_option(actors.other_worker.id)
    staff.screenshot("dispatch-assign-desktop")
    page.get_by_role("button", name="Assign", exact=True).click()
    expect(row(staff, waiting)).to_have_count(0)  # it is no longer one without a worker
    show.select_option("Every status")
    expect(row(staff, waiting)).to_have_attribute("data-status", "confirmed")
    expect(row(staff, waiting)).to_contain_text(actors.other_worker.user.name)
    assert actors.admin.call("GET", f"bookings/{waiting}/")["worker"]["id"] == actors.other_worker.id


def test_an_old_location_is_marked_by_shape_and_words(served: Served, visit: Visitor) -> None:
    stack, actors = served
    booking = actors.new_booking("on_the_way")
    then = datetime.now(UTC) - timedelta(seconds=90)
    actors.worker.track(booking, 28.61, 77.2, timestamp=then.isoformat())
    staff = open_map(visit(stack), actors)
    expect(row(staff, booking)).to_contain_text("Last seen")
    expect(row(staff, booking).locator("svg.stale path.bar")).to_have_count(1)
    actors.worker.track(booking, 28.611, 77.201)
    expect(row(staff, booking)).to_contain_text("Last seen")
    expect(row(staff, booking).locator("svg.stale")).to_have_count(0)


@pytest.mark.slow
def test_by_keyboard_alone(served: Served, visit: Visitor) -> None:
    stack, actors = served
    booking = actors.new_booking("arrived", lat=28.63, lng=77.22)
    staff = open_map(visit(stack), actors)
    page = staff.page
    expect(row(staff, booking)).to_be_visible()
    eventually(lambda: bool(drawn(page)))
    region = page.get_by_role("region", name="Map of all bookings")
    region.focus()
    before = drawn(page)
    page.keyboard.press("ArrowRight")
    eventually(lambda: drawn(page) != before)
    page.keyboard.press("+")
    button = row(staff, booking).get_by_role("button").first
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(button).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Open the booking")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Worker", exact=True)).to_be_focused()
    # A new booking comes by itself, and does not take the focus away.
    actors.employer.create_booking(service="Something newer")
    expect(page.locator("#dispatch-list")).to_contain_text("Something newer")
    expect(page.get_by_label("Worker", exact=True)).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    staff.expect_status("Arrived")


def test_others_than_staff_are_told_why_there_is_no_map(served: Served, visit: Visitor) -> None:
    stack, actors = served
    customer = visit(stack)
    customer.open()
    customer.sign_in(actors.employer.user)
    expect(customer.page.get_by_role("link", name="Live map")).to_have_count(0)
    customer.page.goto(f"{stack.base_url}/#/map")
    expect(customer.page.get_by_role("alert")).to_contain_text("Only staff may see all bookings on one map.")
    assert not any(url.partition("?")[0].endswith("/ws/") for url in customer.sockets)


@pytest.mark.slow
def test_in_the_demo_a_marker_moves_after_two_presses(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking(lat=28.6315, lng=77.2167)
    people.employer.create_booking(service="Wall painting", lat=28.6336, lng=77.2093)
    staff = visit(demo, allowed=PUT_OFF)
    staff.never_arrive()
    staff.page.add_init_script(path=SCRIPTS / "canvas.js")
    staff.be("Meera Iyer")
    staff.page.get_by_role("link", name="Live map").click()
    # One booking with a worker is open already; this test drives its own.
    expect(staff.page.get_by_role("button", name="Drive the demo")).to_be_visible()
    expect(staff.page.locator("#dispatch-list .selected")).not_to_have_attribute("data-status", "requested")
    own = row(staff, booking).get_by_role("button").first
    if own.get_attribute("aria-expanded") == "false":
        own.click()
    row(staff, booking).get_by_role("button", name="Drive the demo").click()
    expect(row(staff, booking)).to_have_attribute("data-status", "on_the_way")
    expect(row(staff, booking)).to_contain_text("Last seen")
    eventually(lambda: any(len(each) > 4 for each in places(staff.page)))
    staff.page.get_by_role("button", name="Stop the demo").click()


@pytest.mark.slow
def test_what_happened_while_the_server_was_away_is_shown(tmp_path: Path, visit: Visitor) -> None:
    for stack, actors in served_stack(tmp_path):
        booking = actors.new_booking("on_the_way", lat=28.63, lng=77.22)
        staff = open_map(visit(stack, PHONE, allowed=NO_NETWORK, service_worker=True), actors)
        expect(row(staff, booking)).to_have_attribute("data-status", "on_the_way")
        server = stack.http[0]
        server.kill()
        expect(staff.connection).to_have_text(re.compile(r"^Reconnecting in \d+ s$"))
        staff.screenshot("dispatch-reconnecting-phone")
        server.start()
        actors.worker.status(booking, "arrived")
        staff.expect_live()
        expect(row(staff, booking)).to_have_attribute("data-status", "arrived")
        actors.worker.status(booking, "completed")
        expect(row(staff, booking)).to_have_count(0)
        expect(staff.page.locator("#dispatch-empty")).to_contain_text("Nothing is under way.")
        expect(staff.page.locator(".reason")).to_contain_text("No marker yet.")


@pytest.mark.slow
@pytest.mark.parametrize("count", [200, CROWD])
def test_a_crowd_costs_one_call_a_marker_and_no_elements(served: Served, visit: Visitor, count: int) -> None:
    stack, actors = served
    staff = visit(stack)
    page = staff.page
    page.add_init_script(f"window.crowd = {count}")
    page.add_init_script(path=SCRIPTS / "crowd.js")
    page.route(re.compile(r"/api/v1/bookings/\?status="), lambda route: answer_crowd(route, stack.base_url, count))
    open_map(staff, actors)
    expect(page.locator("article.dispatch")).to_have_attribute("data-count", str(count))
    expect(page.locator("#dispatch-map")).to_have_attribute("data-markers", str(count))
    eventually(lambda: len(drawn(page)) == count)
    page.evaluate("window.frames.length = 0; window.step()")
    eventually(lambda: page.evaluate("window.frames.length") > 3)
    for frame in page.evaluate("window.frames"):
        assert set(frame) == {"clearRect", "drawImage"}
        assert frame["clearRect"] == 1
        assert frame["drawImage"] <= count
    assert page.locator("#dispatch-list > li").count() == 50
    assert page.locator("article.dispatch *").count() < 1200, "a page of the list, and nothing for each marker"
    expect(page.locator("#dispatch-range")).to_have_text(f"1 to 50 of {count:,}")
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#dispatch-range")).to_have_text(f"51 to 100 of {count:,}")
    expect(page.locator("#dispatch-list button").first).to_be_focused()
    # Everything was in view and needed no box; a part of the map does.
    rate = 0.25 if count == CROWD else 0.5  # about 500 locations a second at most
    eventually(lambda: page.evaluate("window.asked.at(-1).max_rate") == rate)
    assert "bbox" not in page.evaluate("window.asked.at(-1)")
    for _ in range(2):
        page.get_by_role("button", name="Zoom in").click()
    eventually(lambda: "bbox" in page.evaluate("window.asked.at(-1)"))
    west, south, east, north = page.evaluate("window.asked.at(-1).bbox")
    assert 77 < west < east < 77.4
    assert 28.5 < south < north < 28.8
    staff.expect_live()
    staff.screenshot(f"dispatch-crowd-{count}-desktop")


def answer_crowd(route: Route, base_url: str, count: int) -> None:
    """Answer a page of bookings as REST does."""
    asked = parse_qs(urlsplit(route.request.url).query)
    if asked["status"] != ["on_the_way"]:
        route.fulfill(json={"next": None, "previous": None, "results": []})
        return
    start = int(asked.get("cursor", ["0"])[0])
    following = f"{base_url}/api/v1/bookings/?cursor={start + 100}" if start + 100 < count else None
    route.fulfill(
        json={"next": following, "previous": None, "results": [crowded(n) for n in range(start, start + 100)]}
    )


def crowded(number: int) -> dict[str, object]:
    person = {"id": "", "name": f"Person {number % 300}"}
    nothing = dict.fromkeys(("preferred_time", "estimated_price", "eta_minutes", "lat", "lng"))
    return nothing | {
        "id": f"00000000-0000-4000-8000-{number:012d}", "seq": 4, "status": "on_the_way", "service": f"Repair {number}",
        "address": f"{number} Janpath", "notes": "", "owner": person, "worker": person,
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip


VIEWS = [
    ("phone", NARROW, "light", "hi-IN"),
    ("phone", PHONE, "dark", "en-IN"),
    ("desktop", DESKTOP, "light", "en-IN"),
    ("desktop", DESKTOP, "dark", "hi-IN"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("screen", "viewport", "scheme", "locale"), VIEWS)
def test_axe_finds_nothing(
    served: Served, browser: Browser, screen: str, viewport: ViewportSize, scheme: Scheme, locale: str
) -> None:
    stack, actors = served
    booking = actors.new_booking("on_the_way", lat=28.63, lng=77.22)
    actors.worker.track(booking, 28.62, 77.21)
    context = browser.new_context(viewport=viewport, color_scheme=scheme, locale=locale, reduced_motion="reduce")
    staff = Visit(context.new_page(), stack.base_url)
    page = staff.page
    staff.open("/#/map")
    page.locator("#username").fill(actors.admin.user.username)
    page.locator("#password").fill(actors.admin.user.password)
    page.locator("form .primary").click()

    def look(state: str) -> None:
        staff.screenshot(f"dispatch{state}-{screen}-{scheme}-{locale[:2]}")
        assert staff.accessibility_violations() == [], state
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{state} scrolls sideways"
        assert choices_cut_off(page) == [], state

    button = row(staff, booking).get_by_role("button").first
    expect(button).to_be_visible()
    look("")
    page.locator(".legend summary").click()
    button.click()
    expect(page.locator(".selection form")).to_be_visible()
    expect(page.locator("#worker option").nth(1)).to_be_attached()
    look("-selected")
    page.locator("#dispatch-search").fill("nothing like this")
    expect(page.locator("#dispatch-empty")).to_be_visible()
    look("-empty")
    context.close()
    staff.assert_no_problems()
