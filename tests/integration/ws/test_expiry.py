"""Tokens that expire under open sockets, and tickets that nobody used in time.

The waits of all tests here are one wait: `timeline` opens everything on both stacks at once, lets six seconds
pass, and records what became of each socket; the tests judge the record.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest

from tests.support.clock import steady
from tests.support.live import Person, join, live_stacks, rejection
from tests.support.postgres import PostgresServer
from tests.support.shapes import SHAPES
from tests.support.shell import Shell
from tests.support.sockets import Socket
from tests.support.stack import Stack

LIFETIME, LEEWAY, TICKET_LIFETIME = 6, 2, 3
SLACK = 3.5
"""Expiries are looked for once a second, by whole seconds; the rest is a busy machine."""


AUTHENTICATED = ("authenticated", "/ws/ authenticated")


@dataclass
class Record:
    """What happened on one stack; times are seconds relative to the expiry of the first tokens.

    A socket was closed `closed_after` seconds, of which the machine stood still in all but `taken`.
    """

    closed_after: dict[str, float] = field(default_factory=dict)
    taken: dict[str, float] = field(default_factory=dict)
    codes: dict[str, tuple[int, str]] = field(default_factory=dict)
    rejections: dict[str, tuple[str, int]] = field(default_factory=dict)
    expiry_moved_by: float = 0.0


def expiry_of(token: str) -> float:
    return float(jwt.decode(token, options={"verify_signature": False})["exp"])


async def observe(stack: Stack, shell: Shell) -> Record:
    record = Record()
    with closing(await asyncio.to_thread(Person, stack, shell)) as person:
        booking = await asyncio.to_thread(person.create_booking)
        # Tokens of now: what a server does for the first time took longer.
        await (await join(stack.notifications_url(), person.token)).close()
        person.token, person.refresh_token = person.new_session()
        unused = person.ticket()
        issued = time.time()
        expired_token, expiry = person.token, expiry_of(person.token)
        url = stack.booking_url(booking["id"])
        sockets = {
            "booking": await join(url, person.token),
            "notifications": await join(stack.notifications_url(pod=1), person.token),
            "ticket": await join(stack.notifications_url(), person.ticket(), how="ticket"),
            "authenticated": await join(url, person.token),
            "badly authenticated": await join(url, person.token),
        }
        sockets |= {
            "/ws/ booking": await join(url, person.token, shared=True),
            "/ws/ ticket": await join(stack.notifications_url(pod=1), person.ticket(), how="ticket", shared=True),
            "/ws/ authenticated": await join(url, person.token, shared=True),
        }
        await asyncio.gather(
            *(wait_for_close(record, name, socket, expiry) for name, socket in sockets.items()),
            authenticate(record, person, sockets, expiry),
            try_late(record, stack, expired_token, expiry),
            use_late(record, stack, unused, issued + TICKET_LIFETIME),
        )
    return record


async def wait_for_close(record: Record, name: str, socket: Socket, expiry: float) -> None:
    expires = steady() + expiry - time.time()
    async with socket:
        code, _ = await socket.closed(LIFETIME * 3 + SLACK)
        record.closed_after[name] = time.time() - expiry
        record.taken[name] = steady() - expires
        record.codes[name] = (code, socket.frames[-1].get("code", ""))


async def authenticate(record: Record, person: Person, sockets: dict[str, Socket], expiry: float) -> None:
    """Half way, sockets get a fresh token and another one that is none."""
    await until(expiry - LIFETIME / 2)
    await sockets["badly authenticated"].send({"type": "authenticate", "token": "x"})
    await asyncio.to_thread(person.refresh)
    for name in AUTHENTICATED:
        await sockets[name].send({"type": "authenticate", "token": person.token})
        answer = await sockets[name].next_of("authenticated")
        told = datetime.fromisoformat(answer["expires_at"]).replace(tzinfo=UTC).timestamp()
        assert told == expiry_of(person.token)
        record.expiry_moved_by = told - expiry


async def use_late(record: Record, stack: Stack, ticket: str, expiry: float) -> None:
    await until(expiry + 0.1)
    record.rejections["late ticket"] = await rejection(stack.notifications_url(), ticket, how="ticket")


async def try_late(record: Record, stack: Stack, token: str, expiry: float) -> None:
    url = stack.notifications_url()
    await until(expiry + 0.1)
    async with await join(url, token):  # expired, within the leeway
        pass
    await until(expiry + LEEWAY + 1)
    record.rejections["expired token"] = await rejection(url, token)
    record.rejections["expired token as subprotocol"] = await rejection(url, token, how="subprotocol")


async def until(moment: float) -> None:
    """The passing of time is what is under test here."""
    await asyncio.sleep(max(0.0, moment - time.time()))


@pytest.fixture(scope="module")
def timeline(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Record]]:
    settings: dict[str, Any] = {
        "JWT_ACCESS_LIFETIME": str(LIFETIME),
        "JWT_LEEWAY": str(LEEWAY),
        "TICKET_LIFETIME": str(TICKET_LIFETIME),
    }
    with live_stacks(tmp_path_factory.mktemp("expiry"), postgres_server, **settings) as stack_of:
        yield asyncio.run(observe_all(stack_of))


async def observe_all(stack_of: Callable[[str], Stack]) -> dict[str, Record]:
    stacks = {name: stack_of(name) for name in SHAPES}
    shells = {name: Shell(stack) for name, stack in stacks.items()}
    try:
        records = await asyncio.gather(*(observe(stacks[name], shells[name]) for name in SHAPES))
    finally:
        for shell in shells.values():
            shell.close()
    return dict(zip(SHAPES, records, strict=True))


@pytest.fixture(params=SHAPES)
def record(request: pytest.FixtureRequest, timeline: dict[str, Record]) -> Record:
    return timeline[request.param]


@pytest.mark.parametrize(
    "name", ["booking", "notifications", "ticket", "badly authenticated", "/ws/ booking", "/ws/ ticket"]
)
def test_a_connection_is_closed_4001_after_its_tokens_expiry_and_the_leeway_not_before(
    record: Record, name: str
) -> None:
    assert record.codes[name] == (4001, "token_expired")
    assert record.closed_after[name] >= LEEWAY
    assert record.taken[name] < LEEWAY + SLACK


@pytest.mark.parametrize("name", AUTHENTICATED)
def test_authenticate_keeps_a_connection_open_until_the_new_expiry(record: Record, name: str) -> None:
    assert record.expiry_moved_by >= 2
    assert record.codes[name] == (4001, "token_expired")
    assert record.closed_after[name] - record.expiry_moved_by >= LEEWAY
    assert record.taken[name] - record.expiry_moved_by < LEEWAY + SLACK


def test_an_expired_token_opens_nothing_once_the_leeway_is_over(record: Record) -> None:
    assert record.rejections["expired token"] == ("unauthenticated", 4001)
    assert record.rejections["expired token as subprotocol"] == ("unauthenticated", 4001)


def test_a_ticket_that_was_not_used_in_time_opens_nothing(record: Record) -> None:
    assert record.rejections["late ticket"] == ("unauthenticated", 4001)
