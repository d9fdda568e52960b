"""The guide's React app, as a reader builds it with Vite and with Next.js, in Chromium; for React Native, its bundle.

`make accept-react` runs it. It installs the newest packages from npm's registry, and is skipped where that cannot be
reached.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import People, Visitor, own_demo
from tests.support import tools
from tests.support.documents import blocks, command_of, file_of
from tests.support.ports import accepts_connections, free_port
from tests.support.processes import Process
from tests.support.stack import Stack
from tests.support.surroundings import REPOSITORY, clean_environment

PAGE = "guide/react.md"
FILES = {
    "vite": {"index.html": "index.html", "main.jsx": "main.jsx", "vite.config.mjs": "vite.config.mjs"},
    "next": {"app/layout.jsx": "app/layout.jsx", "app/page.jsx": "app/page.jsx"},
}
NATIVE_FILES = ("App.jsx", "index.js", "babel.config.js", "metro.config.js")
COMPONENTS = {"vite": "Bookings.jsx", "next": "app/Bookings.jsx"}
NO_REGISTRY = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT")
SECONDS = 600


@pytest.fixture(scope="module", params=["vite", "next"])
def app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, People, str]]:
    """The server, its users, and the URL of the built app."""
    name = request.param
    tmp_path = tmp_path_factory.mktemp(name)
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    with own_demo(tmp_path, ALLOWED_ORIGINS=origin, TRACKING_MIN_INTERVAL="0") as (stack, people):
        folder = tmp_path / f"my-{name}-app"
        _install(folder, name)
        for path, title in FILES[name].items():
            (folder / path).write_text(file_of(PAGE, title))
        components = file_of(PAGE, "Bookings.jsx")
        assert "'http://127.0.0.1:8000'" in components
        (folder / COMPONENTS[name]).write_text(components.replace("http://127.0.0.1:8000", stack.base_url))
        build, serve = command_of(PAGE, f"npx {name} build").splitlines()
        _run(build, folder)
        server = Process(
            shlex.split(serve.replace("9000", str(port))),
            log_path=tmp_path / "app.log",
            cwd=folder,
            environment=_environment(),
            ready=lambda: accepts_connections(port),
            ready_timeout=120,
        )
        with server:
            yield stack, people, origin


def _install(folder: Path, name: str) -> None:
    commands = command_of(PAGE, f"mkdir my-{name}-app")
    assert "../hunarmitra/clients/js" in commands
    try:
        _run(commands.replace("../hunarmitra/clients/js", str(REPOSITORY / "clients" / "js")), folder.parent)
    except AssertionError as error:
        if NO_REGISTRY.search(str(error)):
            pytest.skip("npm's registry cannot be reached")
        raise


def _run(commands: str, folder: Path) -> None:
    done = subprocess.run(
        ["bash", "-ec", commands], cwd=folder, env=_environment(), capture_output=True, text=True, check=False,
        timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def _environment() -> dict[str, str]:
    path = f"{tools.npm().parent}{os.pathsep}{os.environ['PATH']}"
    return clean_environment({"PATH": path, "NEXT_TELEMETRY_DISABLED": "1", "CI": "1"})


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("ACCEPT_REACT"), reason="make accept-react runs it, with npm's registry")
@pytest.mark.timeout(3 * SECONDS)
def test_the_readers_app_lists_the_bookings_live_on_one_connection(
    app: tuple[Stack, People, str], visit: Visitor
) -> None:
    stack, people, origin = app
    booking = people.new_booking(service="Fan repair")
    visitor = visit(stack, allowed=r"external: http://127\.0\.0\.1|favicon")
    page = visitor.page
    page.goto(origin)
    page.get_by_label("User name").fill(people.employer.user.username)
    page.get_by_label("Password").fill(people.employer.user.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("status")).to_have_text(re.compile(r"^live, \d+ unread$"))
    row = page.get_by_role("listitem").filter(has_text="Fan repair: confirmed")
    expect(row).to_have_count(1)
    people.worker.status(booking, "on_the_way")
    people.worker.track(booking, 28.6139, 77.209)
    expect(page.get_by_text("Fan repair: on_the_way, 28.614, 77.209")).to_have_count(1)
    assert len(page.get_by_role("listitem").all()) > 1
    assert [url.partition("?")[0] for url in visitor.sockets] == [f"{stack.base_url.replace('http', 'ws')}/ws/"]


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("ACCEPT_REACT"), reason="make accept-react runs it, with npm's registry")
@pytest.mark.timeout(3 * SECONDS)
def test_metro_makes_the_bundle_of_the_readers_react_native_app(tmp_path: Path) -> None:
    folder = tmp_path / "my-metro-app"
    _install(folder, "metro")
    for title in NATIVE_FILES:
        (folder / title).write_text(file_of(PAGE, title))
    _run(command_of(PAGE, "npx metro build"), folder)
    bundle = (folder / "app.bundle.js").read_text()
    assert "AppRegistry.registerComponent('bookings'" in bundle
    assert "'connection_established'" in bundle, "the client is not in the bundle"


def test_the_guides_files_are_the_ones_that_are_built() -> None:
    titles = {block.title for block in blocks(PAGE) if block.title}
    assert titles == {title for files in FILES.values() for title in files.values()} | {
        "Bookings.jsx",
        *NATIVE_FILES,
    }
