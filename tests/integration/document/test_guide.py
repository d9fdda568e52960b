"""The guide's commands and its Python program, run as they stand against the demo.

The web page of the guide is run by `tests/browser/test_guide.py`.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support import tools
from tests.support.actors import Actor, User
from tests.support.documents import blocks, command_of, file_of
from tests.support.eventually import eventually
from tests.support.processes import Process, clean_environment
from tests.support.stack import Stack, embedded_stack
from tests.support.terminal import terminal

HOST = "127.0.0.1:8000"
LIFE = (
    "booking_requested", "booking_assigned", "booking_confirmed", "booking_on_the_way", "booking_arrived",
    "booking_completed",
)  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """What `make run` serves, with positions as quick as a test wants them."""
    directory = tmp_path_factory.mktemp("guide")
    with embedded_stack(directory, server="hunarmitra_ws", DEMO="1", TRACKING_MIN_INTERVAL="0") as stack:
        yield stack


@pytest.fixture(scope="module")
def made(demo: Stack) -> dict[str, Any]:
    """The people, as `make run` prints them."""
    data: dict[str, Any] = json.loads(demo.manage("demo", "--json"))
    return data


@pytest.fixture(scope="module")
def employer(demo: Stack, made: dict[str, Any]) -> Iterator[Actor]:
    with closing(actor(demo, made, "employer")) as known:
        yield known


@pytest.fixture(scope="module")
def worker(demo: Stack, made: dict[str, Any]) -> Iterator[Actor]:
    with closing(actor(demo, made, "worker")) as known:
        yield known


def actor(demo: Stack, made: dict[str, Any], role: str) -> Actor:
    given = made[role]
    return Actor(demo.base_url, User("", given["username"], given["password"], "", role))


@pytest.fixture
def booking(demo: Stack, made: dict[str, Any], employer: Actor, worker: Actor) -> str:
    """The demo's newest booking, which is the one that the guide's programs take; its log has the events 1 to 3."""
    booking_id = str(employer.create_booking()["id"])
    with closing(actor(demo, made, "admin")) as admin:
        admin.assign(booking_id, worker.me()["id"])
    return booking_id


def test_the_command_lines(demo: Stack, made: dict[str, Any], employer: Actor, worker: Actor, booking: str) -> None:
    page = "guide/command-line.md"
    prepared = command_of(page, "PASSWORD=").replace("…", made["employer"]["password"]) + command_of(page, "SERVER=")
    first, again = (block.text for block in blocks(page) if block.text.startswith("wscat -c"))
    path = f"{tools.wscat().parent}{os.pathsep}{os.environ['PATH']}"
    environment = clean_environment({"PATH": path, "TERM": "dumb"})

    def bash(command: str) -> list[str]:
        return ["bash", "-ec", (prepared + command).replace(HOST, demo.base_url.removeprefix("http://"))]

    with terminal(bash(first), environment) as screen:
        screen.wait_for('"connection_established"')
        screen.wait_for(f'"booking_id":"{booking}"')
        screen.wait_for('"seq":3')
        worker.status(booking, "on_the_way")
        screen.wait_for('"event_type":"booking_on_the_way"')
        worker.track(booking, 28.628, 77.211)
        screen.wait_for('"lat":28.628')
        screen.type('{"type": "ping"}')
        screen.wait_for('{"type":"pong"}')
    worker.status(booking, "arrived")
    with terminal(bash(again), environment) as screen:
        screen.wait_for('"booking_arrived"')
        assert re.findall(r'"event_type":"(\w+)"', screen.text) == ["booking_on_the_way", "booking_arrived"]
    wrong = first.replace("$TOKEN", "x$TOKEN")
    shown = [line[2:] for block in blocks(page) for line in block.text.splitlines() if "unauthenticated" in line]
    with terminal(bash(wrong), environment) as screen:
        screen.wait_for(shown[0])
        screen.wait_for("Disconnected (code: 4001")


def test_the_python_program_resumes_where_it_was_when_the_server_comes_back(
    demo: Stack, made: dict[str, Any], worker: Actor, booking: str, tmp_path: Path
) -> None:
    program = tmp_path / "watch.py"
    program.write_text(file_of("guide/python.md", "watch.py"))
    called = command_of("guide/python.md", "HUNARMITRA_PASSWORD=").split("watch.py", 1)[1].split()
    environment = {"HUNARMITRA_SERVER": demo.base_url, "HUNARMITRA_PASSWORD": made["employer"]["password"]}
    log = tmp_path / "watch.log"
    with Process([sys.executable, str(program), *called], log_path=log, environment=environment) as watching:
        eventually(lambda: "3 booking_confirmed" in watching.log_text(), 60)
        worker.status(booking, "on_the_way")
        worker.track(booking, 28.60830, 77.20268)
        eventually(lambda: "28.60830, 77.20268" in watching.log_text(), 60)
        demo.http[0].stop()
        eventually(lambda: "reconnecting in" in watching.log_text(), 60)
        demo.http[0].start()
        worker.status(booking, "arrived")
        worker.status(booking, "completed")
        assert watching.wait(90) == 0, watching.log_text()
    events = re.findall(r"^ *(\d+) (booking_\w+) ", watching.log_text(), re.MULTILINE)
    assert events == [(str(seq), event) for seq, event in enumerate(LIFE, 1)]


@pytest.mark.parametrize(
    "page", ["README.md", "command-line.md", "javascript.md", "react.md", "flutter.md", "python.md"]
)
def test_the_passwords_user_and_the_addresses_are_the_demos(page: str, made: dict[str, Any]) -> None:
    text = (Path(__file__).parents[3] / "docs" / "guide" / page).read_text()
    assert set(re.findall(r"demo-\w+", text)) <= {made["employer"]["username"]}
