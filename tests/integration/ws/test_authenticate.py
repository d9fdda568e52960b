"""A fresh token for an open socket."""

from __future__ import annotations

from datetime import UTC, datetime

import jwt
import pytest

from tests.support.actors import Actors
from tests.support.live import Newcomer, check_error, join, on_every_server
from tests.support.stack import Stack

pytestmark = pytest.mark.usefixtures("over")


def expiry_of(token: str) -> str:
    seconds = jwt.decode(token, options={"verify_signature": False})["exp"]
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat() + "Z"


@on_every_server
async def test_a_good_token_is_answered_with_its_expiry(live: Stack, people: Actors, newcomer: Newcomer) -> None:
    person = newcomer()
    booking = person.create_booking()["id"]
    for url in (live.booking_url(booking), live.notifications_url()):
        async with await join(url, person.token) as socket:
            person.refresh()
            await socket.send({"type": "authenticate", "token": person.token})
            assert await socket.next_frame() == {"type": "authenticated", "expires_at": expiry_of(person.token)}
            assert await socket.synchronized() == []


@on_every_server
async def test_a_bad_token_is_invalid_token_and_the_connection_lives_on(
    live: Stack, people: Actors, newcomer: Newcomer
) -> None:
    person = newcomer()
    booking = person.create_booking()["id"]
    signed_out, refresh_token = person.new_session()
    person.call("POST", "auth/logout/", {"refresh": refresh_token}, expect=205)
    bad = ["", "x", person.token[:-3], person.refresh_token, person.ticket(), signed_out, "\ud800", "\u0000", "é" * 99]
    async with await join(live.booking_url(booking), person.token) as socket:
        for token in bad:
            await socket.send({"type": "authenticate", "token": token})
            assert check_error(await socket.next_frame()) == "invalid_token", token
        people.admin.assign(booking, people.worker.id)
        assert [frame["seq"] for frame in await socket.until_seq(3)] == [2, 3]


@on_every_server
async def test_another_users_token_closes_4003(live: Stack, people: Actors) -> None:
    for token in (people.stranger.token, people.admin.token):
        async with await join(live.notifications_url(), people.employer.token) as socket:
            await socket.send({"type": "authenticate", "token": token})
            assert check_error(await socket.next_frame()) == "forbidden"
            assert (await socket.closed())[0] == 4003


@pytest.mark.parametrize("pod", [0, 1])
async def test_the_connection_then_belongs_to_the_tokens_session(live: Stack, newcomer: Newcomer, pod: int) -> None:
    person = newcomer()
    other_token, other_refresh = person.new_session()
    async with await join(live.notifications_url(pod), person.token) as socket:
        await socket.send({"type": "authenticate", "token": other_token})
        assert (await socket.next_frame())["type"] == "authenticated"
        async with await join(live.notifications_url(pod), person.token) as witness:
            person.logout()
            assert (await witness.closed(2))[0] == 4001
        assert await socket.synchronized() == []
        person.call("POST", "auth/logout/", {"refresh": other_refresh}, expect=205)
        assert (await socket.closed(2))[0] == 4001
