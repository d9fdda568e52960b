"""With LOG_FORMAT=json every line of every process is one JSON object, and one request is found by its id in all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import services, web
from tests.support.actors import Actors
from tests.support.eventually import eventually
from tests.support.live import join
from tests.support.postgres import PostgresServer
from tests.support.processes import Process
from tests.support.services import OwnServer
from tests.support.stack import Stack, distributed_stack

PHONE = "+91 98765 43210"


@pytest.fixture(scope="module")
def stack(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("json")
    with ExitStack() as started:
        running = started.enter_context(distributed_stack(directory, postgres_server, ws=1, LOG_FORMAT="json"))
        own = OwnServer(directory, {**running.environment, "SERVICES": "ws"}, name="own")
        running.ws.append(started.enter_context(own))
        yield running


def lines(process: Process) -> list[dict[str, Any]]:
    """Every complete line that the process has written. Raises ValueError for one that is not JSON."""
    return [json.loads(line) for line in process.log_text().rpartition("\n")[0].splitlines()]


def access_lines(process: Process) -> list[dict[str, Any]]:
    return [line for line in lines(process) if line["logger"] == "gunicorn.access"]


def get(stack: Stack, path: str, **headers: str) -> httpx.Response:
    return web.get(f"{stack.base_url}{path}", headers=headers, timeout=30)


def test_the_access_log_has_the_request_without_its_query(stack: Stack) -> None:
    get(stack, "/api/v1/users/me/?token=opaque-0123456789", **{"User-Agent": f"phone {PHONE}", "X-Request-ID": "abc.1"})

    def found() -> dict[str, Any] | None:
        return next((line for line in access_lines(stack.http[0]) if line.get("request_id") == "abc.1"), None)

    line = eventually(found)
    assert line is not None
    assert line["service"] == "hunarmitra-http"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/v1/users/me/", 401)
    assert line["user_agent"] == "phone [redacted]"
    assert line["duration_ms"] >= 0
    assert line["bytes"] > 0
    of_django = [line for line in lines(stack.http[0]) if line["logger"] == "django.request"]
    assert "abc.1" in {line.get("request_id") for line in of_django}
    assert "opaque" not in stack.http[0].log_text()


@pytest.mark.parametrize("offered", [None, "x" * 65, "bad id"])
def test_an_answer_names_its_request(stack: Stack, offered: str | None) -> None:
    headers = {} if offered is None else {"X-Request-ID": offered}
    answer = get(stack, "/api/v1/users/me/", **headers)
    identifier = answer.headers["X-Request-ID"]
    assert identifier != offered
    assert eventually(lambda: any(line.get("request_id") == identifier for line in access_lines(stack.http[0])))
    assert get(stack, "/api/v1/users/me/", **{"X-Request-ID": "req-7"}).headers["X-Request-ID"] == "req-7"


async def test_all_that_any_process_writes_is_json(stack: Stack) -> None:
    people = Actors.of(stack)
    booking = people.new_booking("confirmed")
    for pod in range(2):
        async with await join(stack.booking_url(booking, pod), people.employer.token):
            pass
    people.close()
    stock, own = stack.ws
    connects = eventually(
        lambda: [line for line in lines(stock) if line["logger"] == "daphne.access" and line["method"] == "WSCONNECT"]
    )
    assert connects[0]["path"] == f"/ws/bookings/{booking}/"
    assert {line["service"] for line in lines(own)} == {"hunarmitra-ws"}
    # A line for each connection costs a tenth of the connect; the metrics count connections.
    assert not any(line["logger"] == "daphne.access" for line in lines(own))
    assert people.employer.token not in stack.log_text()
    for process in stack.http:
        assert any(line["logger"] == "gunicorn.error" for line in lines(process))


def test_the_relay_says_in_json_what_it_waits_for(stack: Stack, tmp_path: Path) -> None:
    environment = {**stack.environment, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    with services.relay(tmp_path, environment, name="lost-relay") as relay:
        found = eventually(
            lambda: [line for line in lines(relay) if line["logger"] == "hunarmitra.outbox.relay"], timeout=90
        )
        everything = lines(relay)
    assert found[0]["level"] == "WARNING"
    assert {line["service"] for line in everything} == {"hunarmitra-relay"}
