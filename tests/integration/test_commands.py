"""`serve`, `demo`, `drive` and `relay` as a person or an orchestrator starts them: real processes."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hunarmitra.config.environment import Environment
from tests.support import web
from tests.support.actors import Actors
from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.ports import accepts_connections, free_port
from tests.support.processes import Process
from tests.support.sockets import Socket
from tests.support.stack import base_environment, embedded_stack, fresh_sqlite, run_python

HOST = "127.0.0.1"


def command(directory: Path, environment: Mapping[str, str], *arguments: str, name: str = "command") -> Process:
    """`manage.py …` with its output in a log."""
    return Process(
        [sys.executable, "manage.py", *arguments], log_path=directory / f"{name}.log", environment=environment
    )


def fails(directory: Path, environment: Mapping[str, str], *arguments: str) -> str:
    """The output of a command that has to fail, without a traceback."""
    process = command(directory, environment, *arguments, name=f"failing-{arguments[0]}").start()
    assert process.wait(90) == 1, process.log_text()
    assert "Traceback" not in process.log_text()
    return process.log_text()


def demo(environment: Mapping[str, str]) -> dict[str, Any]:
    printed: dict[str, Any] = json.loads(run_python(environment, "manage.py", "demo", "--json"))
    return printed


@contextmanager
def signed_in(base_url: str, username: str, password: str) -> Iterator[Api]:
    api = Api(base_url)
    try:
        tokens = api.call("POST", "auth/token/", {"username": username, "password": password})
        api.token, api.refresh_token = tokens["access"], tokens["refresh"]
        yield api
    finally:
        api.close()


def login_of(printed: Mapping[str, str]) -> dict[str, str]:
    return {name: printed[name] for name in ("username", "password")}


def passwords(printed: Mapping[str, Any]) -> dict[str, str]:
    return {role: printed[role]["password"] for role in ("employer", "worker", "admin")}


# ── serve ───────────────────────────────────────────────────────────────────────────────────────────────────
class Serve(Process):
    """`manage.py serve` on a port of its own: what `make run` starts."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.port = free_port()
        super().__init__(
            [sys.executable, "manage.py", "serve", "--port", str(self.port)],
            log_path=directory / f"serve-{self.port}.log",
            environment=environment,
            ready=lambda: accepts_connections(self.port),
            ready_timeout=90,
        )

    @property
    def shown_users(self) -> list[tuple[str, ...]]:
        """Role, user name and password of each line."""
        return re.findall(r"^  (employer|worker|admin) +(\S+) +(\S+) ", self.log_text(), re.MULTILINE)


def development(directory: Path) -> dict[str, str]:
    return {"DEBUG": "1", "PYTHONUNBUFFERED": "1", "DATABASE_URL": f"sqlite:///{directory}/new/demo.sqlite3"}


def scraped(port: int) -> str:
    return web.get(f"http://{HOST}:{port}/metrics", timeout=30).text


async def test_serve_starts_from_nothing_and_a_second_run_keeps_everything(tmp_path: Path) -> None:
    environment = development(tmp_path)
    with Serve(tmp_path, environment) as first:
        base_url = f"http://{HOST}:{first.port}"
        assert base_url in first.log_text()
        # The line that a person pastes.
        match = re.search(r'wscat -c "(ws://\S+?/ws/bookings/([0-9a-f-]{36})/\?token=\S+)"', first.log_text())
        assert match, first.log_text()
        async with await Socket.connect(match[1]) as watcher:
            assert (await watcher.joined())["status"] == "confirmed"
            await watcher.send_raw("x" * (Environment.ws_message_max_bytes + 1))
            assert (await watcher.closed())[0] == 1009, "the server of production serves it"
        assert f"manage.py drive {match[2]} --base-url {base_url}" in first.log_text()
        assert f"Metrics on http://{HOST}:{first.port + 1000}/metrics" in first.log_text()
        assert "hunarmitra_ws" in await asyncio.to_thread(scraped, first.port + 1000)
        for noise in ("HTTP/2", "Starting server at", "Configuring endpoint", "security event"):
            assert noise not in first.log_text()
        users = first.shown_users
        assert [role for role, _, _ in users] == ["employer", "worker", "admin"]
        for role, username, password in users:
            with signed_in(base_url, username, password) as user:
                assert user.me()["role"] == role
        assert first.terminate() in {0, -signal.SIGTERM}, "the signal reaches the server itself"
    with Serve(tmp_path, environment) as second:
        assert second.shown_users == users
        assert match[2] in second.log_text()
    file = tmp_path / "new" / "demo.json"
    assert file.stat().st_mode & 0o777 == 0o600


def test_serve_with_debug_off_needs_demo_and_then_answers_local_names(tmp_path: Path) -> None:
    environment = base_environment(DATABASE_URL=f"sqlite:///{tmp_path}/demo.sqlite3")
    del environment["ALLOWED_HOSTS"]
    assert "needs DEBUG=1 (development) or DEMO=1" in fails(tmp_path, environment, "serve")
    with Serve(tmp_path, {**environment, "DEMO": "1"}) as server:
        for host in (HOST, "localhost"):
            assert web.get(f"http://{host}:{server.port}/api/schema/", timeout=30).status_code == 200


def test_serve_goes_on_without_metrics_where_their_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with Serve(tmp_path, {**development(tmp_path), "METRICS_PORT": str(port)}) as server:
            assert "Metrics on" not in server.log_text()


def test_serve_refuses_a_taken_port_and_a_host_that_others_can_reach(tmp_path: Path) -> None:
    environment = development(tmp_path)
    with socket.create_server((HOST, free_port())) as taken:
        port = taken.getsockname()[1]
        problem = fails(tmp_path, environment, "serve", "--port", str(port))
        assert f"Port {port} on {HOST} cannot be used" in problem
        assert f"make run PORT={port + 1}" in problem
        assert f"Port {port}" in fails(tmp_path, {**environment, "PORT": str(port)}, "serve")
    assert "can be reached from other machines" in fails(tmp_path, environment, "serve", "--host", "0.0.0.0")
    assert not (tmp_path / "new" / "demo.sqlite3").exists(), "nothing was made"


# ── demo ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def demo_environment(tmp_path: Path) -> dict[str, str]:
    return base_environment(DEMO="1", PORT="8123", DATABASE_URL=fresh_sqlite(tmp_path))


def test_demo_prints_exactly_what_scripts_read(demo_environment: dict[str, str]) -> None:
    first = demo(demo_environment)
    assert list(first) == ["base_url", "booking_id", "employer", "worker", "admin"]
    assert first["base_url"] == "http://127.0.0.1:8123"
    for role in ("employer", "worker", "admin"):
        assert list(first[role]) == ["username", "password", "access"]
    second = demo(demo_environment)
    assert second["booking_id"] == first["booking_id"]
    assert passwords(second) == passwords(first)
    shown = run_python(demo_environment, "manage.py", "demo")
    assert first["booking_id"] in shown
    assert all(password in shown for password in passwords(first).values())


@pytest.mark.slow
def test_demo_makes_new_passwords_where_it_cannot_keep_them(tmp_path: Path, demo_environment: dict[str, str]) -> None:
    (tmp_path / "demo.json").mkdir()
    first, second = demo(demo_environment), demo(demo_environment)
    assert first["booking_id"] == second["booking_id"]
    assert not set(passwords(first).values()) & set(passwords(second).values())


def test_demo_says_that_a_file_of_another_program_is_in_the_way(
    tmp_path: Path, demo_environment: dict[str, str]
) -> None:
    (tmp_path / "demo.json").write_text('{"scene": "beach"}')
    shown = run_python(demo_environment, "manage.py", "demo")
    assert f"The passwords are not kept: {tmp_path}/demo.json is not a file of the demo." in shown
    assert (tmp_path / "demo.json").read_text() == '{"scene": "beach"}'


@pytest.mark.slow
def test_demo_changes_no_booking_that_it_did_not_make(tmp_path: Path) -> None:
    with embedded_stack(tmp_path, DEMO="1") as stack:
        made = demo(stack.environment)
        people = Actors.of(stack)
        with signed_in(stack.base_url, **login_of(made["employer"])) as customer:
            requested = str(customer.create_booking()["id"])
            assigned = str(customer.create_booking()["id"])
            people.admin.assign(assigned, people.worker.id)
            again = demo(stack.environment)
            assert again["booking_id"] == made["booking_id"]
            assert customer.booking(requested)["status"] == "requested"
            assert customer.booking(assigned)["worker"]["id"] == people.worker.id
            # Support has given the demo's booking to somebody else.
            people.admin.assign(made["booking_id"], people.other_worker.id)
            assert demo(stack.environment)["booking_id"] not in {made["booking_id"], requested, assigned}
            assert customer.booking(made["booking_id"])["worker"]["id"] == people.other_worker.id
        people.close()


def test_demo_says_what_is_missing(tmp_path: Path, demo_environment: dict[str, str]) -> None:
    assert "needs DEBUG=1 (development) or DEMO=1" in fails(tmp_path, {**demo_environment, "DEMO": "0"}, "demo")
    unmigrated = {**demo_environment, "DATABASE_URL": f"sqlite:///{tmp_path}/empty.sqlite3"}
    assert "not migrated yet" in fails(tmp_path, unmigrated, "demo")


# ── drive ───────────────────────────────────────────────────────────────────────────────────────────────────
class Town:
    """A running system with demo data and short intervals."""

    def __init__(self, base_url: str, environment: Mapping[str, str], directory: Path) -> None:
        self.base_url, self.environment, self.directory = base_url, environment, directory
        self.demo = demo(environment)
        self.booking_id: str = self.demo["booking_id"]
        self.booking_socket = f"{base_url.replace('http', 'ws')}/ws/bookings/{self.booking_id}/"
        self.employer = Api(base_url, token=self.demo["employer"]["access"])

    def drive(self, *arguments: str) -> Process:
        return command(
            self.directory, self.environment, "drive", "--base-url", self.base_url, *arguments, name="drive"
        ).start()

    def refused(self, *arguments: str) -> str:
        return fails(self.directory, self.environment, "drive", "--base-url", self.base_url, *arguments)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with embedded_stack(tmp_path, DEMO="1", TRACKING_MIN_INTERVAL="0.3") as stack:
        there = Town(stack.base_url, stack.environment, tmp_path)
        yield there
        there.employer.close()


@pytest.mark.slow
async def test_drive_sets_out_reports_its_way_arrives_and_completes(town: Town) -> None:
    async with await Socket.connect(town.booking_socket, token=town.employer.token) as watcher:
        joined = await watcher.joined()
        # Posting every 0.1 s is faster than allowed: Retry-After (whole seconds) is honoured.
        process = town.drive(town.booking_id, "--interval", "0.1", "--steps", "4")
        frames = await watcher.frames_until(lambda frame: frame.get("status") == "completed", 90)
        assert process.wait() == 0, process.log_text()
        statuses = [frame for frame in frames if frame["type"] == "booking_status"]
        assert [frame["status"] for frame in statuses] == ["on_the_way", "arrived", "completed"]
        assert [frame["seq"] for frame in statuses] == [joined["seq"] + number for number in (1, 2, 3)]
        positions = [frame for frame in frames if frame["type"] == "location_update"]
        site = town.employer.booking(town.booking_id)
        assert len(positions) == 4
        assert (positions[-1]["lat"], positions[-1]["lng"]) == (float(site["lat"]), float(site["lng"]))
        assert {frame["actor"] for frame in statuses} == {site["worker"]["name"]}
    assert process.log_text().split("\n")[:3] == ["on the way", "arrived", "completed"]
    # The booking is over, so the demo has a new one.
    assert "The booking is over: it is completed." in town.refused(town.booking_id)
    assert demo(town.environment)["booking_id"] != town.booking_id


async def test_drive_sends_locations_as_often_as_the_server_asks(town: Town) -> None:
    async with await Socket.connect(town.booking_socket, token=town.employer.token) as watcher:
        await watcher.joined()
        process = town.drive(town.booking_id, "--steps", "4")
        frames = await watcher.frames_until(lambda frame: frame.get("status") == "completed", 90)
        assert process.wait() == 0, process.log_text()
    positions = [(frame["lat"], frame["lng"]) for frame in frames if frame["type"] == "location_update"]
    site = town.employer.booking(town.booking_id)
    assert 1 <= len(positions) <= 4
    assert positions[-1] == (float(site["lat"]), float(site["lng"]))


@pytest.mark.slow
def test_drive_goes_on_where_it_was_interrupted(town: Town) -> None:
    process = town.drive(town.booking_id, "--interval", "0.4", "--steps", "500")
    eventually(lambda: town.employer.location(town.booking_id, expect=200), 60, "the first position")
    process.signal(signal.SIGINT)
    assert process.wait(90) == 130
    assert "Stopped; the same command goes on from here." in process.log_text()
    assert "Traceback" not in process.log_text()
    assert town.employer.booking(town.booking_id)["status"] == "on_the_way"
    assert town.drive(town.booking_id, "--interval", "0.4", "--steps", "1").wait(90) == 0
    assert town.employer.booking(town.booking_id)["status"] == "completed"


@pytest.mark.slow
def test_drive_ends_when_the_booking_is_called_off(town: Town) -> None:
    process = town.drive(town.booking_id, "--interval", "0.4", "--steps", "500")
    eventually(lambda: town.employer.location(town.booking_id, expect=200), 60, "the first position")
    town.employer.status(town.booking_id, "cancelled")
    assert process.wait(90) == 1
    assert re.search(r"CommandError: The server answered 409: .*cancelled", process.log_text())


@pytest.mark.slow
def test_drive_says_what_is_wrong(town: Town) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    assert "no such booking" in town.refused(nobody)
    assert "'abc' is not a booking id" in town.refused("abc")
    assert "with this password" in town.refused(town.booking_id, "--password", "wrong")
    assert "'somebody' is not known here: give --password" in town.refused(town.booking_id, "--username", "somebody")
    requested = str(town.employer.create_booking()["id"])
    admin = town.demo["admin"]
    as_admin = ("--username", admin["username"], "--password", admin["password"])
    assert "only requested" in town.refused(requested, *as_admin)
    assert "no such booking" in town.refused(requested), "the worker has no part in it"
    port = free_port()
    problem = fails(town.directory, town.environment, "drive", "--base-url", f"http://{HOST}:{port}", town.booking_id)
    assert f"No answer from http://{HOST}:{port} (ConnectError): is the server running there?" in problem


@pytest.mark.slow
def test_drive_outlives_its_access_token(tmp_path: Path) -> None:
    with embedded_stack(
        tmp_path, DEMO="1", TRACKING_MIN_INTERVAL="0.3", JWT_ACCESS_LIFETIME="5", JWT_LEEWAY="0"
    ) as stack:
        town = Town(stack.base_url, stack.environment, tmp_path)
        process = town.drive(town.booking_id, "--interval", "1.5", "--steps", "6")
        assert process.wait(90) == 0, process.log_text()
        assert process.log_text().split() == ["on", "the", "way", "arrived", "completed"]
        town.employer.close()
