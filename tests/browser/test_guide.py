"""The guide's web page, as a reader saves it, on an origin of its own: a marker that moves, also after an outage."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import leaflet
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import People, Visitor, own_demo
from tests.support.documents import command_of, file_of
from tests.support.eventually import eventually
from tests.support.ports import accepts_connections, free_port
from tests.support.processes import Process
from tests.support.stack import Stack
from tests.support.surroundings import REPOSITORY

PAGE = "guide/javascript.md"
WORKER_PAGE = "guide/worker.md"
DISPATCHER_PAGE = "guide/dispatcher.md"
LEAFLET = Path(leaflet.__file__).parent / "static" / "leaflet"
NO_SERVER = r"ERR_(CONNECTION|EMPTY_RESPONSE)|WebSocket connection to|external: http://127\.0\.0\.1"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, People, str]]:
    """The server started as the guide says, and the reader's folder served as it says: its URL."""
    tmp_path = tmp_path_factory.mktemp("reader")
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    assert "ALLOWED_ORIGINS=http://127.0.0.1:9000 make run" in command_of(PAGE, "ALLOWED_ORIGINS=")
    served = command_of(PAGE, "python3 -m http.server").replace("9000", str(port)).split()
    with own_demo(tmp_path, ALLOWED_ORIGINS=origin, TRACKING_MIN_INTERVAL="0") as (stack, people):
        folder = write_app(tmp_path / "my-app", stack)
        server = Process(
            [sys.executable, *served[1:]],
            log_path=tmp_path / "reader.log",
            cwd=folder,
            ready=lambda: accepts_connections(port),
        )
        with server:
            yield stack, people, origin


def write_app(folder: Path, stack: Stack) -> Path:
    """What the reader types, and what npm would have put there."""
    modules = folder / "node_modules"
    (modules / "@hunarmitra").mkdir(parents=True)
    (modules / "@hunarmitra" / "realtime").symlink_to(REPOSITORY / "clients" / "js")
    (modules / "leaflet").mkdir()
    (modules / "leaflet" / "dist").symlink_to(LEAFLET)
    (folder / "index.html").write_text(file_of(PAGE, "index.html"))
    program = file_of(PAGE, "app.js")
    assert "'http://127.0.0.1:8000'" in program
    (folder / "app.js").write_text(program.replace("http://127.0.0.1:8000", stack.base_url))
    for page, name in ((WORKER_PAGE, "worker"), (DISPATCHER_PAGE, "dispatcher")):
        (folder / f"{name}.html").write_text(file_of(page, f"{name}.html"))
        program = file_of(page, f"{name}.js")
        assert "'http://127.0.0.1:8000'" in program
        (folder / f"{name}.js").write_text(program.replace("http://127.0.0.1:8000", stack.base_url))
    return folder


def without_tiles(page: Page) -> None:
    def answer(route: Route) -> None:
        route.fulfill(status=204)

    page.route("https://tile.openstreetmap.org/**", answer)


@pytest.mark.slow
def test_the_readers_marker_moves_and_nothing_is_missing_after_an_outage(
    reader: tuple[Stack, People, str], visit: Visitor
) -> None:
    stack, people, origin = reader
    visitor = visit(stack, allowed=rf"{NO_SERVER}|tile\.openstreetmap\.org")
    page = visitor.page
    without_tiles(page)
    page.goto(origin)
    page.get_by_label("User name").fill(people.employer.user.username)
    page.get_by_label("Password").fill(people.employer.user.password)
    page.get_by_role("button", name="Sign in").click()
    connection, timeline = page.locator("#connection"), page.locator("#timeline li")
    expect(connection).to_have_text("live")
    expect(timeline).to_have_count(3)

    people.worker.status(people.booking_id, "on_the_way")
    expect(page.locator("#booking")).to_have_text("on_the_way")
    marker = page.get_by_alt_text("The worker")
    people.worker.track(people.booking_id, 28.60, 77.2)
    expect(marker).to_have_count(1)
    first = marker.get_attribute("style")
    people.worker.track(people.booking_id, 28.601, 77.2)
    eventually(lambda: marker.get_attribute("style") != first)

    stack.http[0].stop()
    expect(connection).to_have_text(re.compile("reconnecting|connecting"))
    stack.http[0].start()
    people.worker.status(people.booking_id, "arrived")
    people.worker.status(people.booking_id, "completed")
    expect(timeline).to_have_count(6, timeout=90_000)
    assert timeline.evaluate_all("items => items.map((item) => item.value)") == [1, 2, 3, 4, 5, 6]
    expect(page.locator("#booking")).to_have_text("completed")
    expect(marker).to_have_count(0)


def test_the_readers_worker_shares_the_location(reader: tuple[Stack, People, str], visit: Visitor) -> None:
    stack, people, origin = reader
    visitor = visit(stack, allowed=NO_SERVER)
    page = visitor.page
    page.context.grant_permissions(["geolocation"], origin=origin)
    page.context.set_geolocation({"latitude": 28.62, "longitude": 77.21, "accuracy": 9})
    booking = people.new_booking(service="Fan repair")
    page.goto(f"{origin}/worker.html")
    page.get_by_label("User name").fill(people.worker.user.username)
    page.get_by_label("Password").fill(people.worker.user.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#booking")).to_have_text("Fan repair: confirmed")
    page.get_by_role("button", name="Share my location").click()
    expect(page.locator("#sharing")).to_have_text("The customer sees you on the map.")
    seen = people.employer.call("GET", f"tracking/{booking}/")
    assert (seen["lat"], seen["lng"], seen["accuracy"]) == (28.62, 77.21, 9)
    people.worker.status(booking, "on_the_way")
    people.employer.status(booking, "cancelled")
    expect(page.locator("#sharing")).to_have_text("Off (not_tracked).")


def test_the_readers_dispatcher_sees_bookings_come_move_and_end(
    reader: tuple[Stack, People, str], visit: Visitor
) -> None:
    stack, people, origin = reader
    visitor = visit(stack, allowed=rf"{NO_SERVER}|tile\.openstreetmap\.org")
    page = visitor.page
    without_tiles(page)
    page.add_init_script(path=Path(__file__).parent / "scripts" / "canvas-arcs.js")
    booking = people.new_booking()
    people.worker.status(booking, "on_the_way")
    people.worker.track(booking, 28.62, 77.2)
    page.goto(f"{origin}/dispatcher.html")
    page.get_by_label("User name").fill(people.admin.user.username)
    page.get_by_label("Password").fill(people.admin.user.password)
    page.get_by_role("button", name="Sign in").click()
    row = page.locator("#bookings li", has_text=booking[:8])
    expect(page.locator("#connection")).to_have_text("live")
    expect(row).to_have_text(f"{booking[:8]}: on_the_way")
    first = page.evaluate("window.arcs.at(-1)")
    people.worker.track(booking, 28.625, 77.2)
    eventually(lambda: page.evaluate("window.arcs.at(-1)") != first)
    # A worker outside the box is not shown; when the map shows the place, the booking is there.
    people.worker.track(booking, 28.75, 77.2)
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Zoom out").click()
    expect(row).to_have_text(f"{booking[:8]}: on_the_way")
    people.employer.status(booking, "cancelled")
    expect(row).to_have_count(0)


def test_a_wrong_password_is_told(reader: tuple[Stack, People, str], visit: Visitor) -> None:
    stack, people, origin = reader
    visitor = visit(stack, allowed=r"external: http://127|tile\.openstreetmap\.org|status of 401")
    without_tiles(visitor.page)
    visitor.page.goto(origin)
    visitor.page.get_by_label("User name").fill(people.employer.user.username)
    visitor.page.get_by_label("Password").fill("wrong")
    visitor.page.get_by_role("button", name="Sign in").click()
    expect(visitor.page.locator("#connection")).to_contain_text("credentials")
