"""The guide's commands and its Python programs, run as they stand against the demo.

The web page of the guide is run by `tests/browser/test_guide.py`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
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
from tests.support.processes import Process
from tests.support.stack import Stack, embedded_stack
from tests.support.surroundings import REPOSITORY, clean_environment
from tests.support.terminal import terminal

HOST = "127.0.0.1:8000"
PYTHON_PAGE = "guide/python.md"
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


@pytest.mark.slow
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


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the page on Python, beside a clone, with the package installed as it says; without a registry."""
    folder = tmp_path_factory.mktemp("python") / "my-program"
    folder.mkdir()
    (folder.parent / "hunarmitra").symlink_to(REPOSITORY)
    install = command_of(PYTHON_PAGE, "mkdir my-program").splitlines()[-1]
    assert install.startswith(".venv/bin/pip install ")
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", "packages"]
    command = [sys.executable, "-m", "pip", "install", *offline, *install.split()[2:]]
    subprocess.run(command, cwd=folder, env=clean_environment({}), check=True)
    return folder


def reader_runs(command: str, folder: Path, demo: Stack, password: str) -> Process:
    """A command of the page on Python, in the folder of the page."""
    program, *arguments = shlex.split(command.removeprefix("HUNARMITRA_PASSWORD='…' "))
    name = Path(program).name
    found = [sys.executable] if name == "python" else [str(folder / "packages" / "bin" / name)]
    for argument in arguments:
        if argument.endswith(".py"):
            (folder / argument).write_text(file_of(PYTHON_PAGE, argument))
    environment = {
        "HUNARMITRA_SERVER": demo.base_url,
        "HUNARMITRA_PASSWORD": password,
        "PYTHONPATH": str(folder / "packages"),
        **dict(re.findall(r"(HUNARMITRA_USER)=(\S+)", command_of(PYTHON_PAGE, "export HUNARMITRA_USER="))),
    }
    log = folder / f"{'-'.join([name, *arguments])}.log"
    return Process([*found, *arguments], log_path=log, cwd=folder, environment=environment)


def test_the_command_prints_events_until_the_booking_is_over(
    demo: Stack, made: dict[str, Any], worker: Actor, booking: str, programs: Path
) -> None:
    command = command_of(PYTHON_PAGE, "export HUNARMITRA_USER=").splitlines()[-1].replace("BOOKING", booking)
    with reader_runs(command, programs, demo, made["employer"]["password"]) as watching:
        eventually(lambda: "  3  booking_confirmed (Meera Iyer)" in watching.log_text(), 60)
        worker.status(booking, "on_the_way")
        worker.track(booking, 28.60830, 77.20268)
        eventually(lambda: "location: 28.6083, 77.20268" in watching.log_text(), 60)
        worker.status(booking, "arrived")
        worker.status(booking, "completed")
        assert watching.wait(90) == 0, watching.log_text()
    events = re.findall(r"^\S+Z +(\d+)  (booking_\w+) ", watching.log_text(), re.MULTILINE)
    assert events == [(str(seq), event) for seq, event in enumerate(LIFE, 1)]


def test_the_program_with_the_package_resumes_and_prints_notifications(
    demo: Stack, made: dict[str, Any], worker: Actor, booking: str, programs: Path
) -> None:
    command = command_of(PYTHON_PAGE, ".venv/bin/python follow.py").strip()
    with reader_runs(command, programs, demo, made["employer"]["password"]) as following:
        eventually(lambda: "3 booking_confirmed" in following.log_text(), 60)
        worker.status(booking, "on_the_way")
        worker.track(booking, 28.60830, 77.20268)
        eventually(lambda: "28.60830, 77.20268" in following.log_text(), 60)
        eventually(lambda: "    * " in following.log_text(), 60)
        demo.http[0].stop()
        eventually(lambda: "reconnecting in" in following.log_text(), 60)
        demo.http[0].start()
        worker.status(booking, "arrived")
        worker.status(booking, "completed")
        assert following.wait(90) == 0, following.log_text()
    events = re.findall(r"^ *(\d+) (booking_\w+) ", following.log_text(), re.MULTILINE)
    assert events == [(str(seq), event) for seq, event in enumerate(LIFE, 1)]


def test_the_python_program_resumes_where_it_was_when_the_server_comes_back(
    demo: Stack, made: dict[str, Any], worker: Actor, booking: str, programs: Path
) -> None:
    command = command_of(PYTHON_PAGE, "HUNARMITRA_PASSWORD=").strip()
    with reader_runs(command, programs, demo, made["employer"]["password"]) as watching:
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
