"""Who gets in, by which door, and what those see who do not."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid

import jwt
import pytest

from hunarmitra.accounts.services import user_delete, user_set_active
from tests.support.actors import Actors
from tests.support.live import Newcomer, join, on_every_server, rejection
from tests.support.shell import Shell
from tests.support.sockets import Presentation, Socket
from tests.support.stack import Stack

pytestmark = pytest.mark.usefixtures("over_rarely")

UNAUTHENTICATED = ("unauthenticated", 4001)
FORBIDDEN = ("forbidden", 4003)


def without_signature(token: str) -> str:
    """The same claims under `alg: none`, the oldest forgery of JWTs."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT", "kid": "default"}).encode()).rstrip(b"=")
    return f"{header.decode()}.{token.split('.')[1]}."


def with_other_claims(token: str, **claims: str) -> str:
    """The same token with other claims and its old signature."""
    header, payload, signature = token.split(".")
    body = json.loads(base64.urlsafe_b64decode(payload + "=="))
    changed = base64.urlsafe_b64encode(json.dumps(body | claims).encode()).rstrip(b"=").decode()
    return f"{header}.{changed}.{signature}"


@on_every_server
async def test_a_token_in_the_query_opens_both_endpoints(live: Stack, people: Actors) -> None:
    booking = people.new_booking()
    async with await Socket.connect(live.booking_url(booking), token=people.employer.token) as socket:
        assert (await socket.joined())["booking_id"] == booking
    async with await Socket.connect(live.notifications_url(), token=people.employer.token) as socket:
        assert (await socket.joined())["message"] == "Connected to notifications"


@on_every_server
async def test_a_token_as_a_subprotocol_is_answered_with_jwt(live: Stack, people: Actors) -> None:
    booking = people.new_booking()
    for url in (live.booking_url(booking), live.notifications_url()):
        async with await Socket.connect(url, token=people.employer.token, how="subprotocol") as socket:
            assert socket.connection.subprotocol == "jwt"
            await socket.joined()


@on_every_server
async def test_jwt_is_selected_on_a_rejecting_accept_too(live: Stack, people: Actors) -> None:
    booking = people.new_booking()
    for token, code in (("not-a-token", 4001), (people.stranger.token, 4003)):
        async with await Socket.connect(live.booking_url(booking), token=token, how="subprotocol") as socket:
            assert socket.connection.subprotocol == "jwt"
            assert (await socket.closed())[0] == code


@on_every_server
async def test_a_ticket_opens_a_connection_once(live: Stack, people: Actors) -> None:
    booking = people.new_booking()
    for url in (live.booking_url(booking), live.notifications_url()):
        ticket = people.employer.ticket()
        await (await join(url, ticket, how="ticket")).close()
        assert await rejection(url, ticket, how="ticket") == UNAUTHENTICATED


async def test_of_simultaneous_uses_of_a_ticket_one_gets_in(live: Stack, people: Actors) -> None:
    ticket = people.employer.ticket()
    sockets = await asyncio.gather(
        *(Socket.connect(live.notifications_url(pod), token=ticket, how="ticket") for pod in range(8))
    )
    first = [await socket.next_frame() for socket in sockets]
    assert sorted(frame["type"] for frame in first) == ["connection_established"] + 7 * ["error"]
    for socket in sockets:
        await socket.close()


def expiry_of_ticket(session_id: str) -> float:
    from hunarmitra.accounts.models import Ticket

    return Ticket.objects.get(session_id=session_id).expires_at.timestamp()


async def test_a_ticket_lasts_thirty_seconds_and_has_its_tokens_session_and_expiry(
    live: Stack, newcomer: Newcomer, shell: Shell
) -> None:
    person = newcomer()
    asked = time.time()
    answer = person.call("POST", "realtime/tickets/", {}, expect=201)
    answered = time.time()
    assert answer.keys() == {"ticket", "expires_in"}
    assert answer["expires_in"] == 30
    claims = jwt.decode(person.token, options={"verify_signature": False})
    expires = shell.call(expiry_of_ticket, session_id=claims["sid"])
    assert asked + 30 <= expires <= answered + 30
    socket = await join(live.notifications_url(), answer["ticket"], how="ticket")
    tokens_own = await join(live.notifications_url(), person.token)
    assert socket.frames[0]["expires_at"] == tokens_own.frames[0]["expires_at"]
    person.logout()
    assert (await socket.closed(2))[0] == 4001
    await socket.close()
    await tokens_own.close()


async def test_a_ticket_of_a_session_that_was_ended_opens_nothing(live: Stack, newcomer: Newcomer) -> None:
    person = newcomer()
    ticket = person.ticket()
    person.logout()
    assert await rejection(live.notifications_url(), ticket, how="ticket") == UNAUTHENTICATED


@on_every_server
async def test_another_users_ticket_gives_that_users_rights_and_no_more(live: Stack, people: Actors) -> None:
    booking = people.new_booking()
    assert await rejection(live.booking_url(booking), people.stranger.ticket(), how="ticket") == FORBIDDEN


@on_every_server
@pytest.mark.parametrize("how", ["query", "subprotocol", "ticket"])
async def test_what_is_no_valid_credential_is_4001_on_both_endpoints(
    live: Stack, people: Actors, how: Presentation
) -> None:
    booking = people.new_booking()
    token = people.employer.token
    wrong = [
        "x",
        "hmt_" + "A" * 43,
        token[:-4],
        token + "x",
        people.employer.refresh_token,
        without_signature(token),
        with_other_claims(token, user_id=people.admin.id),
        with_other_claims(token, token_type="refresh"),
        "9" * 4_000,
    ]
    if how == "ticket":
        wrong.append(token)
    else:
        wrong.append(people.employer.ticket())
    answers = await asyncio.gather(*(rejection(live.booking_url(booking), bad, how=how) for bad in wrong))
    answers += await asyncio.gather(*(rejection(live.notifications_url(), bad, how=how) for bad in wrong))
    assert set(answers) == {UNAUTHENTICATED}


@on_every_server
async def test_no_credential_is_4001_whether_or_not_the_booking_exists(live: Stack, people: Actors) -> None:
    booking = people.new_booking()
    for url in (live.notifications_url(), live.booking_url(booking), live.booking_url(str(uuid.uuid4()))):
        assert await rejection(url) == UNAUTHENTICATED
        assert await rejection(f"{url}?token=") == UNAUTHENTICATED
        assert await rejection(f"{url}?ticket=") == UNAUTHENTICATED
        assert await rejection(f"{url}?token=%00%ff%ed%a0%80") == UNAUTHENTICATED
        assert await rejection(f"{url}?ticket=%00%ff%ed%a0%80") == UNAUTHENTICATED


async def test_tokens_of_deleted_deactivated_and_signed_out_users_are_4001(
    live: Stack, newcomer: Newcomer, shell: Shell
) -> None:
    deleted, inactive, signed_out = newcomer(), newcomer(), newcomer()
    shell.call(user_delete, user_id=deleted.id)
    shell.call(user_set_active, user_id=inactive.id, active=False)
    signed_out.logout()
    for person in (deleted, inactive, signed_out):
        assert await rejection(live.notifications_url(), person.token) == UNAUTHENTICATED
        person.me(expect=401)


@on_every_server
async def test_who_takes_part_may_watch_and_others_are_4003(live: Stack, people: Actors) -> None:
    booking = people.new_booking()
    for allowed in (people.employer, people.worker, people.admin):
        await (await join(live.booking_url(booking), allowed.token)).close()
    for other in (people.stranger, people.other_worker):
        assert await rejection(live.booking_url(booking), other.token) == FORBIDDEN


@on_every_server
async def test_an_unknown_booking_is_4003_for_everyone_but_staff_who_get_4004(live: Stack, people: Actors) -> None:
    known = people.new_booking()
    ids = [
        str(uuid.uuid4()),
        "abc-123-def-456",
        "1",
        "9" * 7_000,
        "%00",
        "%ff",
        "'%20OR%201=1",
        f"{{{known}}}".replace("{", "%7B").replace("}", "%7D"),
        f"urn:uuid:{known}",
        known.replace("-", ""),
    ]
    urls = [live.booking_url(booking) for booking in ids]
    for person in (people.employer, people.worker, people.stranger):
        answers = await asyncio.gather(*(rejection(url, person.token) for url in urls))
        assert set(answers) == {FORBIDDEN}
    answers = await asyncio.gather(*(rejection(url, people.admin.token) for url in urls))
    assert set(answers) == {("not_found", 4004)}


@on_every_server
async def test_a_closed_connection_says_why_after_it_was_accepted(live: Stack, people: Actors) -> None:
    async with await Socket.connect(live.notifications_url()) as socket:
        code, reason = await socket.closed()
    assert code == 4001
    # Stock daphne drops the reason; that is why the error frame says it first.
    assert reason in {"", "unauthenticated"}
    assert "token" in socket.frames[0]["message"]
