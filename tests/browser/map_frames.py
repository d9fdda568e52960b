"""Measure the dispatcher's map with 2,000 moving markers: `make map-frames`.

All markers are in view and glide. Frames a second depend on what else the machine does. Processor times hardly do:
those of the page's thread for one frame and for one location say how many frames a processor can draw.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from playwright.sync_api import CDPSession, Page, expect

from tests.browser.test_dispatch import SCRIPTS, answer_crowd
from tests.support.actors import Actors
from tests.support.browser import DESKTOP, Visit, chromium
from tests.support.stack import Stack, embedded_stack

GLIDE_SECONDS = 4.5
"""A marker glides for as long as it waited for its location, and at most five seconds."""
SAMPLE_SECONDS = 4
COUNT_FRAMES = """
  window.frames = [];
  const clear = CanvasRenderingContext2D.prototype.clearRect;
  CanvasRenderingContext2D.prototype.clearRect = function (...box) {
    if (this.canvas.classList.contains('markers')) window.frames.push(performance.now());
    return clear.apply(this, box);
  };
"""


@dataclass
class Cost:
    """Processor time in milliseconds: of the page's thread, of its scripts, and of all of the browser's processes."""

    thread: float = 0
    script: float = 0
    browser: float = 0

    def add(self, before: Cost, after: Cost) -> None:
        self.thread += after.thread - before.thread
        self.script += after.script - before.script
        self.browser += after.browser - before.browser

    def of(self, count: int) -> str:
        return f"{self.thread / count:.3f} ms of the page's thread ({self.script / count:.3f} ms of them in scripts)"


class Meter:
    """Reads the processor times of a page and its browser."""

    def __init__(self, page: Page) -> None:
        assert page.context.browser
        self._page: CDPSession = page.context.new_cdp_session(page)
        self._browser: CDPSession = page.context.browser.new_browser_cdp_session()
        self._page.send("Performance.enable", {"timeDomain": "threadTicks"})

    def read(self) -> Cost:
        metrics = {each["name"]: 1000 * each["value"] for each in self._page.send("Performance.getMetrics")["metrics"]}
        processes = self._browser.send("SystemInfo.getProcessInfo")["processInfo"]
        return Cost(
            metrics["TaskDuration"], metrics["ScriptDuration"], 1000 * sum(each["cpuTime"] for each in processes)
        )


def open_map(page: Page, stack: Stack, actors: Actors, count: int) -> None:
    staff = Visit(page, stack.base_url)
    page.add_init_script(f"window.crowd = {count}")
    page.add_init_script(path=SCRIPTS / "crowd.js")
    page.add_init_script(COUNT_FRAMES)
    page.route(re.compile(r"/api/v1/bookings/\?status="), lambda route: answer_crowd(route, stack.base_url, count))
    staff.open()
    staff.sign_in(actors.admin.user)
    page.get_by_role("link", name="Live map").click()
    expect(page.locator("#dispatch-map")).to_have_attribute("data-markers", str(count), timeout=120_000)
    expect(page.locator("article.dispatch")).to_have_attribute("data-count", str(count), timeout=120_000)


def measure(page: Page, rounds: int, count: int) -> str:
    meter = Meter(page)
    frames, locations, intervals = Cost(), Cost(), list[float]()
    for _ in range(rounds):
        page.wait_for_timeout(1000 * GLIDE_SECONDS)
        before = meter.read()
        page.evaluate("window.step()")
        page.evaluate("window.frames.length = 0")
        between = meter.read()
        page.wait_for_timeout(1000 * SAMPLE_SECONDS)
        times = page.evaluate("window.frames")
        locations.add(before, between)
        frames.add(between, meter.read())
        intervals += [later - sooner for sooner, later in pairwise(times)]
    drawn, seconds = len(intervals), sum(intervals) / 1000
    return (
        f"{drawn / seconds:.1f} frames/s; between two frames {median(intervals):.1f} ms (median)\n"
        f"one frame: {frames.of(drawn)}, {frames.browser / drawn:.1f} ms of all processes\n"
        f"one location: {locations.of(rounds * count)}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--markers", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5, help="of four seconds each (default: %(default)s)")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded_stack(Path(folder), server="hunarmitra_ws", DEMO_PAGE="1") as stack,
        closing(Actors.of(stack)) as actors,
        chromium() as browser,
    ):
        page = browser.new_page(viewport=DESKTOP)
        open_map(page, stack, actors, options.markers)
        measured = measure(page, options.rounds, options.markers)
    sys.stdout.write(f"{options.markers} markers on {DESKTOP['width']} × {DESKTOP['height']} pixels\n{measured}")


if __name__ == "__main__":
    main()
