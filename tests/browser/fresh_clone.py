"""`make accept-fresh-clone`: what somebody does who has nothing but a clone. Does the marker move within ten seconds?

Clones the repository as it is committed, calls `make run`, opens the URL that it prints in headless Chromium, chooses
the customer, opens the booking, presses "Drive the demo", and measures from there until the marker has moved. No
setting is changed. It installs into an environment of its own, so it is not a part of `make test`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import expect

from tests.support.browser import DESKTOP, Visit, chromium
from tests.support.eventually import eventually
from tests.support.ports import accepts_connections, free_port
from tests.support.processes import Process
from tests.support.surroundings import REPOSITORY

LIMIT_SECONDS = 10.0
INSTALL_SECONDS = 600.0
A_POSITION = re.compile(r"^28\.\d+,77\.\d+$")


def seconds_until_it_moves(visit: Visit) -> float:
    """From the button's press until the marker is at a second place."""
    visit.open()
    visit.page.get_by_role("button", name="Asha Verma").click()
    visit.page.locator("a[data-id]").first.click()
    button = visit.page.get_by_role("button", name="Drive the demo")
    expect(button).to_be_enabled()
    shown = visit.page.locator("#map")
    pressed = time.monotonic()
    button.click()
    expect(shown).to_have_attribute("data-worker", A_POSITION, timeout=LIMIT_SECONDS * 1000)
    first = shown.get_attribute("data-worker")
    eventually(lambda: shown.get_attribute("data-worker") != first, LIMIT_SECONDS)
    return time.monotonic() - pressed


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--from", dest="origin", default=str(REPOSITORY), help="what to clone (default: this)")
    origin = arguments.parse_args().origin
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "hunarmitra"
        subprocess.run(["git", "clone", "--quiet", origin, str(clone)], check=True)
        port = free_port()
        log = Path(folder) / "run.log"
        started = time.monotonic()
        with Process(["make", "run", f"PORT={port}"], log_path=log, cwd=clone) as running:
            eventually(lambda: "Serving on http" in running.log_text(), INSTALL_SECONDS, "a URL to open")
            [url] = re.findall(r"Serving on (http://\S+?);", running.log_text())
            served = time.monotonic() - started
            with chromium() as browser:
                page = browser.new_page(viewport=DESKTOP)
                eventually(lambda: accepts_connections(port), 30, f"somebody at {url}")
                moved = seconds_until_it_moves(Visit(page, url))
    sys.stdout.write(f"make run served after {served:.0f} s; the marker moved {moved:.1f} s after the button's press\n")
    if moved > LIMIT_SECONDS:
        sys.exit(f"error: that is more than {LIMIT_SECONDS:g} s")


if __name__ == "__main__":
    main()
