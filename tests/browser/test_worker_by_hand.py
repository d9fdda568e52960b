"""The demo's worker, dragged on the map by hand: what the customer sees of it, and how soon."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from math import cos, sin
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import People, Visitor, own_demo
from tests.browser.test_worker_view import SITE, switch
from tests.support.browser import Visit
from tests.support.eventually import eventually
from tests.support.stack import Stack

SCRIPTS = Path(__file__).parent / "scripts"
LIMIT_MS = 2000
LOCATIONS = 4


def hand_of(worker: Visit) -> Locator:
    return worker.page.get_by_role("button", name="Drag yourself on the map")


def take_hold(worker: Visit) -> tuple[float, float]:
    """Press the button of the mouse on the hand. Returns where that is."""
    box = hand_of(worker).bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    worker.page.mouse.move(x, y)
    worker.page.mouse.down()
    return x, y


@pytest.mark.slow
def test_in_the_demo_the_worker_is_dragged_on_the_map(demo: Stack, people: People, visit: Visitor) -> None:
    booking = people.new_booking(lat=SITE[0], lng=SITE[1])
    worker, customer = visit(demo), visit(demo)
    worker.be("Ravi Kumar")
    worker.watch(booking)
    customer.be("Asha Verma")
    customer.watch(booking)
    switch(worker)
    hand = hand_of(worker)
    expect(hand).to_be_visible()
    shown = customer.page.locator("#map")
    expect(shown).to_have_attribute("data-worker", re.compile(r"^28"))
    before = shown.get_attribute("data-worker")
    x, y = take_hold(worker)
    for step in range(1, 20):
        worker.page.mouse.move(x + 6 * step, y - 6 * step)
    # While the button of the mouse is still down.
    eventually(lambda: shown.get_attribute("data-worker") != before)
    worker.page.mouse.up()
    place = worker.page.locator("#map").get_attribute("data-worker")
    expect(shown).to_have_attribute("data-worker", place or "")
    customer.screenshot("booking-dragged-desktop")
    # By keyboard too.
    hand.press("ArrowUp")
    expect(shown).not_to_have_attribute("data-worker", place or "")
    switch(worker)
    expect(hand).to_have_count(0)


def recorded(page: Page) -> tuple[list[tuple[int, str]], list[int], int]:
    """Return what `marker.js` has recorded: places, times of moves, and the sum of the longest stalls."""
    places, moves, stalls = page.evaluate("[window.places, window.moves, window.stalls]")
    return [(at, place) for at, place in places], moves, sum(stalls)


@pytest.mark.slow
def test_the_customers_marker_follows_the_mouse_within_two_seconds(tmp_path: Path, visit: Visitor) -> None:
    """With the limits of `make run`: one location in two seconds. The machine's own measured stalls do not count."""
    with own_demo(tmp_path, server="hunarmitra_ws") as (stack, people):
        booking = people.new_booking(lat=SITE[0], lng=SITE[1])
        worker, customer = visit(stack), visit(stack)
        for each, name in ((worker, "Ravi Kumar"), (customer, "Asha Verma")):
            each.page.add_init_script(path=SCRIPTS / "marker.js")
            each.be(name)
            each.watch(booking)
        switch(worker)
        expect(customer.page.locator("#map")).to_have_attribute("data-worker", re.compile(r"^28"))
        # At rest the customer's marker stands still.
        expect(worker.page.locator("#sent")).to_have_text(re.compile(r"^Sent [3-6] seconds ago"))
        x, y = take_hold(worker)
        for each in (worker, customer):
            each.page.evaluate("window.stalls.fill(0)")
        begun = worker.page.evaluate("Date.now()")
        told = customer.page.evaluate("window.places.length")
        longest, step = 0.0, 0
        while customer.page.evaluate("window.places.length") < told + LOCATIONS:
            since = time.monotonic()
            step += 1
            worker.page.mouse.move(x + 90 * sin(step / 14), y - 60 * (1 - cos(step / 23)))
            worker.page.wait_for_timeout(100)
            longest = max(longest, time.monotonic() - since - 0.1)
        ended = worker.page.evaluate("Date.now()")
        worker.page.mouse.up()
        last = worker.page.locator("#map").get_attribute("data-worker")
        expect(customer.page.locator("#map")).to_have_attribute("data-worker", last or "")

        hand, _, own_stall = recorded(worker.page)
        places, moves, stall = recorded(customer.page)
        for each in (worker, customer):
            each.page.close()  # before the server ends
        limit = LIMIT_MS + stall + own_stall + 1000 * longest
        ages = [at - max(was for was, there in hand if there == place) for at, place in places if begun < at < ended]
        assert len(ages) >= LOCATIONS - 1
        assert max(ages) <= limit, "the customer is told where the hand is, not where it was long ago"
        times = [begun, *(at for at in moves if begun < at < ended), ended]
        assert len(times) > 2
        assert max(later - sooner for sooner, later in pairwise(times)) <= limit, "the marker moves all the time"
