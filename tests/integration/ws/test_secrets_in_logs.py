"""No token, ticket or password in anything that is logged: every way to join, every failure, every level."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import pytest
from websockets.exceptions import WebSocketException

from tests.support import services, web
from tests.support.actors import Actor, Actors
from tests.support.live import join, rejection
from tests.support.processes import ProcessFailedError
from tests.support.services import ServiceProcess
from tests.support.sockets import Socket
from tests.support.stack import Stack, base_environment, fresh_sqlite

pytestmark = pytest.mark.usefixtures("over_rarely")

OPAQUE = ["opaque-Secret-0123456789", "another.Secret.value-987", "dGhpcyBpcyBubyBKV1Q="]
"""Credentials that do not look like ours: a client's mistake may send somebody else's."""

Variant = Literal["daphne", "uvicorn", "daphne failing", "uvicorn failing"]


@contextlib.contextmanager
def verbose(directory: Path, variant: Variant) -> Iterator[Stack]:
    """The documented command, as talkative as it can be, with the settings that log most."""
    environment = base_environment(
        DATABASE_URL=fresh_sqlite(directory), LOG_LEVEL="DEBUG", DEBUG="1", TRACKING_MIN_INTERVAL="0"
    )
    server, _, extra = variant.partition(" ")
    start = services.daphne if server == "daphne" else services.uvicorn
    options = ["-v", "3"] if server == "daphne" else ["--log-level", "trace"]
    process = start(directory, environment, *options)
    if extra == "failing":
        process.command = [
            "tests.support.failing_asgi:application" if part == services.APPLICATION else part
            for part in process.command
        ]
    with process:
        yield Stack("embedded", directory, environment, http=[process], ws=[process])


class Secrets:
    """Every credential that was used, and what of it must not be found in a log."""

    def __init__(self) -> None:
        self.values: set[str] = set()

    def add(self, *values: str) -> None:
        self.values.update(values)

    def of(self, person: Actor) -> None:
        self.add(person.token, person.refresh_token, person.user.password)

    def found_in(self, text: str) -> list[str]:
        """Whole, in URL encoding, and each part of a JWT by itself but its header, which is not a secret."""
        parts = {quote(value, safe="") for value in self.values} | self.values
        parts |= {part for value in self.values if value.startswith("ey") for part in value.split(".")[1:] if part}
        parts |= {value[-16:] for value in self.values if len(value) > 40}
        return [part for part in parts if part in text]


async def use_every_door(stack: Stack, people: Actors, secrets: Secrets) -> None:
    employer = people.employer
    booking = people.new_booking("confirmed")
    urls = (stack.booking_url(booking), stack.notifications_url())
    for url in urls:
        ticket = employer.ticket()
        secrets.add(ticket)
        await (await join(url, employer.token)).close()
        await (await join(url, employer.token, how="subprotocol")).close()
        await (await join(url, ticket, how="ticket", since=0)).close()
        assert await rejection(url, ticket, how="ticket") == ("unauthenticated", 4001)
        bad = [*OPAQUE, employer.token[:-2], employer.token[3:], employer.refresh_token]
        secrets.add(*bad)
        for token in bad:
            await rejection(url, token)
            await rejection(url, token, how="subprotocol") if "=" not in token else None
            await rejection(url, token, how="ticket")
        await (await Socket.connect(f"{url}?since=x&token={quote(employer.token)}&ticket={ticket}&token=")).close()
        await rejection(f"{url}?TOKEN={OPAQUE[0]}&Ticket={OPAQUE[1]}")
        await rejection(f"{url}?access_token={OPAQUE[0]}")
        with pytest.raises(WebSocketException):
            await Socket.connect(url, token=employer.token, origin="https://evil.example")
        with pytest.raises(WebSocketException):
            await Socket.connect(f"{stack.ws_urls[0]}/nowhere/", token=employer.token)


async def talk(stack: Stack, people: Actors, secrets: Secrets) -> None:
    booking = people.new_booking("confirmed")
    async with await join(stack.booking_url(booking), people.employer.token) as socket:
        people.employer.refresh()
        secrets.of(people.employer)
        for token in (people.employer.token, *OPAQUE, people.employer.refresh_token):
            await socket.send({"type": "authenticate", "token": token})
            await socket.next_frame()
        await socket.send_raw(f'{{"type": "authenticate", "token": "{OPAQUE[0]}"')
        await socket.send_raw(f'{{"type":"authenticate","token":"{people.employer.token}"}}'.encode())
        await socket.next_of("error")
        await socket.next_of("error")
    async with await join(stack.notifications_url(), people.employer.token) as socket:
        await socket.send({"type": "authenticate", "token": people.stranger.token})
        assert (await socket.closed())[0] == 4003


def call_rest(people: Actors, secrets: Secrets) -> None:
    employer = people.employer
    wrong = "Wrong-Password-4711"
    secrets.add(wrong)
    employer.call("POST", "auth/token/", {"username": employer.user.username, "password": wrong}, expect=401)
    employer.call("POST", "auth/verify/", {"token": employer.token})
    employer.call("POST", "auth/verify/", {"token": OPAQUE[0]}, expect=401)
    employer.call("POST", "auth/refresh/", {"refresh": OPAQUE[1]}, expect=401)
    employer.call("GET", "users/me/", headers={"Authorization": f"Bearer {OPAQUE[0]}"}, expect=401)
    employer.http.post(
        "auth/token/",
        content=f'{{"username": "x", "password": "{wrong}", '.encode(),
        headers={"Content-Type": "application/json"},
    )
    employer.logout()
    employer.refresh(expect=401)


async def fail_with_the_url(stack: Stack, people: Actors, secrets: Secrets) -> None:
    """An exception whose message and whose cause hold the URL, for sockets and for REST."""
    ticket = people.employer.ticket()
    secrets.add(ticket, *OPAQUE)
    header = {"X-Fail": "1"}
    url = stack.notifications_url()
    for target, token, how in (
        (url, people.employer.token, "query"),
        (url, people.employer.token, "subprotocol"),
        (url, ticket, "ticket"),
        (url, OPAQUE[0], "query"),
        (url, OPAQUE[1], "subprotocol"),
    ):
        with pytest.raises(WebSocketException):
            await Socket.connect(target, token=token, how=how, headers=header)  # type: ignore[arg-type]
    query = f"token={quote(people.employer.token)}&ticket={ticket}&password={OPAQUE[0]}"
    for path in ("/api/v1/users/me/", "/ws/notifications/"):
        await asyncio.to_thread(get, f"{stack.base_url}{path}?{query}", header)
        await asyncio.to_thread(get, f"{stack.base_url}{path}?{query}", {})


def get(url: str, headers: dict[str, str]) -> None:
    """Also a socket's URL, as from a proxy that does not know the upgrade."""
    assert web.get(url, headers=headers, timeout=30).status_code >= 400


def logged(*processes: ServiceProcess) -> str:
    """What is there once they have ended, which writes what they still hold back."""
    for process in processes:
        with contextlib.suppress(ProcessFailedError):
            process.terminate()
    return "\n".join(process.log_text() for process in processes)


@pytest.mark.parametrize("variant", ["daphne", pytest.param("uvicorn", marks=pytest.mark.slow)])
async def test_no_way_to_join_or_to_fail_leaves_a_secret_in_the_log(tmp_path: Path, variant: Variant) -> None:
    secrets = Secrets()
    with verbose(tmp_path, variant) as stack:
        people = Actors.of(stack)
        for person in (people.employer, people.worker, people.admin, people.stranger, people.other_worker):
            secrets.of(person)
        await use_every_door(stack, people, secrets)
        await talk(stack, people, secrets)
        call_rest(people, secrets)
        people.close()
        log = logged(*stack.http)
    assert ("/ws/" if Socket.over_shared else "/ws/bookings/") in log  # there is something to search
    assert secrets.found_in(log) == []


@pytest.mark.parametrize("variant", ["daphne failing", pytest.param("uvicorn failing", marks=pytest.mark.slow)])
async def test_a_traceback_that_quotes_the_url_leaves_no_secret_in_the_log(tmp_path: Path, variant: Variant) -> None:
    secrets = Secrets()
    with verbose(tmp_path, variant) as stack:
        people = Actors.of(stack)
        secrets.of(people.employer)
        await fail_with_the_url(stack, people, secrets)
        people.close()
        log = logged(*stack.http)
    assert "Traceback" in log
    path = "/ws/" if Socket.over_shared else "/ws/notifications/"
    assert f"'{path}?token=[redacted]'" in log
    assert secrets.found_in(log) == []
