"""The API document's JavaScript, as it stands there, in a browser's own WebSocket and with the real Leaflet.

Only what is a placeholder in it is replaced: host and port, the ids and the token.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import People, Visitor, own_demo
from tests.support import contract
from tests.support.browser import Visit
from tests.support.eventually import eventually
from tests.support.stack import Stack

NO_ICON = "status of 404"  # Chromium asks for the first page's
HTML = """<!doctype html><title>A page of the reader's own</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/leaflet/leaflet.css"><script src="/static/leaflet/leaflet.js"></script>
<style>#map { height: 400px }</style><div id="map"></div><p id="eta"></p>"""
NOTING = """
  window.calls = [];
  for (const name of ['updateBookingStatus', 'updateMarker', 'showNotification']) {
    window[name] = (...given) => calls.push([name, ...given]);
  }
  window.sockets = [];
  window.WebSocket = class extends WebSocket {
    constructor(...given) { super(...given); sockets.push(this); }
  };
  const log = console.log;
  console.log = (...given) => { calls.push(['log', ...given]); log(...given); };
"""


def sample(heading: str) -> str:
    [found] = [
        block.text
        for block in contract.blocks("realtime-api.md")
        if (block.heading, block.language) == (heading, "javascript")
    ]
    return found


class Reader:
    """A page of the server's own origin that runs a sample; the browser ignores the policy of the answer."""

    def __init__(self, visit: Visit, stack: Stack) -> None:
        self.page: Page = visit.page
        self._stack = stack
        self.page.add_init_script(NOTING)
        # Chromium lets a page reach this machine only if it came from here itself: any answer will do.
        visit.open("/api/schema/")
        self.page.set_content(HTML)

    def run(self, code: str, **names: str) -> None:
        declared = "".join(f"const {name} = {json.dumps(value)};" for name, value in names.items())
        host = self._stack.base_url.removeprefix("http://")
        self.page.add_script_tag(content=f"{declared}\n{code.replace('localhost:8000', host)}")

    def calls(self, name: str) -> list[list[Any]]:
        made: list[list[Any]] = self.page.evaluate("calls")
        return [given[1:] for given in made if given[0] == name]

    def expect_call(self, name: str, *given: Any, timeout: float = 30) -> None:
        eventually(lambda: list(given) in self.calls(name), timeout, f"{name}{given}")

    def frames(self) -> list[Any]:
        return [given[1] for given in self.calls("log") if given[0] == "Event received:"]


@pytest.fixture
def reader(demo: Stack, visit: Visitor) -> Iterator[Reader]:
    visitor = visit(demo, allowed=NO_ICON, without_policy=True)
    visitor.page.clock.install()
    yield Reader(visitor, demo)
    visitor.page.evaluate("sockets.forEach((socket) => socket.close())")


def test_subscribing_to_a_booking(reader: Reader, people: People) -> None:
    booking = people.new_booking()
    code = sample("1. Subscribe to Booking Updates")
    code = code.replace("eyJ0eXAiOiJKV1QiLCJhbGc...", people.employer.token).replace("abc-123-def-456", booking)
    reader.run(code)
    reader.expect_call("log", "Connected to booking channel")
    eventually(lambda: [frame["type"] for frame in reader.frames()] == ["connection_established"])
    people.worker.status(booking, "on_the_way")
    reader.expect_call("updateBookingStatus", "on_the_way")
    people.worker.track(booking, 28.6139, 77.2090)
    reader.expect_call("updateMarker", 28.6139, 77.209)
    reader.page.clock.run_for(30_000)  # its keep-alive
    eventually(lambda: {"type": "pong"} in reader.frames())
    reader.page.evaluate("ws.close()")
    reader.expect_call("log", "Disconnected")


def test_subscribing_to_notifications(reader: Reader, people: People) -> None:
    reader.run(sample("2. Subscribe to User Notifications"), token=people.employer.token)
    reader.expect_call("showNotification", "Notifications", "Connected to notifications")
    people.new_booking(service="Door repair")
    reader.expect_call("showNotification", "Booking confirmed", "Door repair is confirmed.")


def test_the_live_map(reader: Reader, people: People) -> None:
    booking = people.new_booking(lat="28.695000", lng="77.200000")
    people.worker.status(booking, "on_the_way")
    reader.run(sample("Example: Live Tracking Map"), token=people.employer.token, bookingId=booking)
    eventually(lambda: reader.page.evaluate("ws.readyState") == 1)
    people.worker.track(booking, 28.60, 77.2, timestamp="2026-01-03T11:05:00Z")
    people.worker.track(booking, 28.61, 77.2, timestamp="2026-01-03T11:06:00Z")
    expect(reader.page.locator("#eta")).to_have_text("9 minutes away")
    assert reader.page.evaluate("workerMarker.getLatLng()") == {"lat": 28.61, "lng": 77.2}
    reader.page.clock.run_for(1000)  # the pan is an animation
    centre = reader.page.evaluate("map.getCenter()")
    assert (round(centre["lat"], 2), round(centre["lng"], 2)) == (28.61, 77.2)


@pytest.mark.slow
def test_reconnecting_to_a_server_that_was_killed(tmp_path_factory: pytest.TempPathFactory, visit: Visitor) -> None:
    with own_demo(tmp_path_factory.mktemp("killed")) as (stack, people):
        reader = Reader(visit(stack, allowed=f"{NO_ICON}|WebSocket connection to", without_policy=True), stack)
        url = f"{stack.booking_url(people.booking_id)}?token={people.employer.token}"
        reader.run(f"{sample('Client Reconnection')}\nconnectWithRetry({json.dumps(url)});")
        open_sockets = "sockets.filter((socket) => socket.readyState === WebSocket.OPEN).length"
        eventually(lambda: reader.page.evaluate(open_sockets) == 1)
        stack.http[0].restart()
        eventually(lambda: reader.page.evaluate(open_sockets) == 1, 60)
        assert reader.page.evaluate("sockets.length") > 1
