"""A worker's phone and a customer's desktop side by side, while networks, the server and tokens fail on the way."""

from __future__ import annotations

import re
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from tests.browser.conftest import Visitor
from tests.browser.test_watching import NO_NETWORK
from tests.browser.test_worker_view import SITE, at, enter, expect_sharing, phone, switch
from tests.support.actors import Actors
from tests.support.browser import DESKTOP, Visit
from tests.support.eventually import eventually
from tests.support.stack import embedded_stack

OLDEST: Final = 4.0
"""Seconds: how old the marker's place may be while the worker is online, and so how long a network may be back."""

TOKEN_LIFETIME: Final = 6
"""Seconds, for the tokens of the two people who watch and drive."""

TICKS = """() => {
  window.stall = 0;
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    window.stall = Math.max(window.stall, now - last - 50);
    last = now;
  }, 50);
}"""
RECORDING = """() => {
  const map = document.getElementById('map');
  window.places = [];
  new MutationObserver(() => map.dataset.worker && window.places.push([Date.now() / 1000, map.dataset.worker]))
    .observe(map, { attributes: true, attributeFilter: ['data-worker'] });
}"""


class Drive:
    """A worker who goes north without a rest, and what the customer's marker showed when.

    Each place is reported once, so a latitude tells its time. Test and browsers read the same clock.
    """

    def __init__(self, worker: Visit, customer: Visit) -> None:
        self.worker, self.customer = worker, customer
        self._reported: dict[float, float] = {}
        self._calm: list[tuple[float, float]] = []
        self._stall = 0.0
        for page in (worker.page, customer.page):
            page.evaluate(TICKS)
        customer.page.evaluate(RECORDING)

    def step(self) -> float:
        """Report the next place; return its latitude."""
        begin = time.time()
        lat = round(28.61 + 4 * len(self._reported) / 100_000, 6)
        self.worker.page.context.set_geolocation(at(lat))
        self._reported[lat] = time.time()
        self.worker.page.wait_for_timeout(100)
        self._stall = max(self._stall, time.time() - begin - 0.1)
        return lat

    def go_on(self, seconds: float) -> None:
        end = time.time() + seconds
        while time.time() < end:
            self.step()

    def until_they_wait(self, visits: tuple[Visit, ...]) -> None:
        """Drive until these pages have noticed the outage, and their next attempts would be too late."""
        eventually(lambda: self.step() and min(map(seconds_to_wait, visits)) >= 2 * OLDEST, timeout=150)

    def until_fresh(self) -> None:
        """Drive until the customer sees where the worker is now."""
        now = self.step()
        eventually(lambda: self.step() and self._shown() >= now, timeout=90)

    def calm(self, after: float = 0.0) -> None:
        """Drive for a while in which nothing fails; `after` are the seconds until the marker has to be fresh."""
        begin = time.time() + after
        self.go_on(after + 3)
        self._calm.append((begin, time.time()))

    def seen(self) -> list[tuple[float, float]]:
        """Return each change of the marker: when, and to which latitude."""
        places = self.customer.page.evaluate("window.places")
        return [(when, float(place.split(",")[0])) for when, place in places]

    def stall(self) -> float:
        """Return the longest time that this machine kept the test or a browser waiting."""
        stalls: list[float] = [page.evaluate("window.stall") for page in (self.worker.page, self.customer.page)]
        return max(self._stall, *(stall / 1000 for stall in stalls))

    def oldest(self) -> float:
        """Return the greatest age of the marker's place while nothing failed, in seconds."""
        ages = [0.0]
        for (since, lat), (until, _) in pairwise([*self.seen(), (time.time(), 0.0)]):
            for begin, end in self._calm:
                if since < end and until > begin:
                    ages.append(min(until, end) - self._reported[lat])
        return max(ages)

    def _shown(self) -> float:
        return float((self.customer.page.locator("#map").get_attribute("data-worker") or "0").split(",")[0])


def seconds_to_wait(visit: Visit) -> int:
    """Return how long a page without network waits for its next attempt."""
    found = re.search(r"Offline, trying again in (\d+) s", visit.connection.inner_text())
    return int(found.group(1)) if found else 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_marker_is_fresh_and_never_goes_back(tmp_path: Path, visit: Visitor) -> None:
    with (
        embedded_stack(
            tmp_path, server="hunarmitra_ws", DEMO_PAGE="1", TRACKING_MIN_INTERVAL="0.2", JWT_LEEWAY="0"
        ) as stack,
        closing(Actors.of(stack)) as actors,
    ):
        booking = actors.new_booking("on_the_way", lat=SITE[0], lng=SITE[1])
        server = stack.http[0]
        server.environment["JWT_ACCESS_LIFETIME"] = str(TOKEN_LIFETIME)
        server.restart()
        refused = rf"{NO_NETWORK}|status of 4(01|29)"  # an expired token; a location that is sent again too soon
        customer = enter(visit(stack, DESKTOP, allowed=refused, service_worker=True), actors, "employer", booking)
        worker = phone(visit, (stack, actors), booking, allowed=refused)
        drive = Drive(worker, customer)
        switch(worker)
        drive.until_fresh()
        drive.calm()

        # The second one is over before the customer's page notices it.
        for away, noticed in (((worker,), True), ((customer,), False), ((worker, customer), True)):
            for each in away:
                each.page.context.set_offline(True)
            drive.go_on(2)
            if away == (worker,):
                expect_sharing(worker, "Waiting for the network. Your newest location is sent when it returns.")
                worker.screenshot("worker-waiting-phone")
            if noticed:
                drive.until_they_wait(away)  # and the token ends meanwhile
            for each in away:
                each.page.context.set_offline(False)
            drive.calm(after=OLDEST)

        server.kill()
        drive.go_on(1)
        server.start()
        drive.until_fresh()  # both try again when they see fit: a server that returns is not a network that returns
        drive.calm()
        expect_sharing(worker, "The customer sees you on the map.")

        latitudes = [lat for _, lat in drive.seen()]
        assert latitudes == sorted(latitudes)
        assert drive.oldest() <= OLDEST + drive.stall()
