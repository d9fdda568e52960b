"""Rights that end while a socket is open: it is closed within two seconds, on every pod."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from hunarmitra.accounts.services import user_delete, user_set_active, user_set_password, user_set_role, user_set_staff
from tests.integration.rest.test_auth import age_spent_tokens
from tests.support.actors import Actors
from tests.support.clock import steady
from tests.support.live import Newcomer, Person, join, rejection
from tests.support.shell import Shell
from tests.support.sockets import Socket
from tests.support.stack import Stack

pytestmark = pytest.mark.usefixtures("over")

WITHIN = 2.0
PODS = (0, 1)


async def open_all(urls: Sequence[str], token: str) -> list[Socket]:
    return [await join(url, token) for url in urls]


async def closed_in_time(sockets: Sequence[Socket], code: int, since: float) -> None:
    codes = await asyncio.gather(*(socket.closed(WITHIN + 1) for socket in sockets))
    seconds = steady() - since
    assert {found for found, _ in codes} == {code}
    assert all(socket.frames[-1]["type"] == "error" for socket in sockets)
    assert seconds < WITHIN


async def live_on(sockets: Sequence[Socket]) -> None:
    for socket in sockets:
        assert all(frame["type"] != "error" for frame in await socket.synchronized())
        await socket.close()


def both_endpoints(live: Stack, booking: str) -> list[str]:
    return [url for pod in PODS for url in (live.booking_url(booking, pod), live.notifications_url(pod))]


async def test_a_logout_closes_the_sessions_connections_and_no_other(live: Stack, newcomer: Newcomer) -> None:
    person = newcomer()
    urls = both_endpoints(live, person.create_booking()["id"])
    other_session, _ = person.new_session()
    ending, staying = await open_all(urls, person.token), await open_all(urls, other_session)
    person.logout()
    await closed_in_time(ending, 4001, steady())
    # For REST and new sockets too.
    person.me(expect=401)
    person.refresh(expect=401)
    for url in urls:
        assert await rejection(url, person.token) == ("unauthenticated", 4001)
    await live_on(staying)


async def test_a_reused_refresh_token_closes_the_sessions_sockets_and_no_other(
    live: Stack, newcomer: Newcomer, shell: Shell
) -> None:
    person = newcomer()
    urls = both_endpoints(live, person.create_booking()["id"])
    other_session, _ = person.new_session()
    spent = person.refresh_token
    person.refresh()
    ending, staying = await open_all(urls, person.token), await open_all(urls, other_session)
    age_spent_tokens(shell, person.id)
    assert person.call("POST", "auth/refresh/", {"refresh": spent}, expect=401)["code"] == "session_reused"
    await closed_in_time(ending, 4001, steady())
    await live_on(staying)


async def test_a_deactivated_users_connections_are_closed_4001(live: Stack, newcomer: Newcomer, shell: Shell) -> None:
    person = newcomer()
    urls = both_endpoints(live, person.create_booking()["id"])
    other_session, _ = person.new_session()
    sockets = await open_all(urls, person.token) + await open_all(urls, other_session)
    shell.call(user_set_active, user_id=person.id, active=False)
    await closed_in_time(sockets, 4001, steady())
    assert await rejection(live.notifications_url(), person.token) == ("unauthenticated", 4001)


async def test_a_deleted_users_connections_are_closed_4001(live: Stack, newcomer: Newcomer, shell: Shell) -> None:
    person = newcomer()
    sockets = await open_all([live.notifications_url(pod) for pod in PODS], person.token)
    shell.call(user_delete, user_id=person.id)
    await closed_in_time(sockets, 4001, steady())


async def test_a_changed_password_closes_every_connection(live: Stack, newcomer: Newcomer, shell: Shell) -> None:
    person = newcomer()
    sockets = await open_all([live.notifications_url(pod) for pod in PODS], person.token)
    shell.call(user_set_password, user_id=person.id, password=None)
    await closed_in_time(sockets, 4001, steady())


async def test_a_removed_staff_right_closes_what_only_it_allowed(
    live: Stack, people: Actors, newcomer: Newcomer, shell: Shell
) -> None:
    booking = people.new_booking()
    by_flag, by_role = newcomer("admin"), newcomer("admin")
    shell.call(user_set_role, user_id=by_flag.id, role="employer")
    shell.call(user_set_staff, user_id=by_role.id, staff=False)
    changes: list[tuple[Person, Callable[..., object], dict[str, Any]]] = [
        (by_flag, user_set_staff, {"staff": False}),
        (by_role, user_set_role, {"role": "employer"}),
    ]
    for person, change, arguments in changes:
        own = person.create_booking()["id"]
        ending = await open_all([live.booking_url(booking, pod) for pod in PODS], person.token)
        staying = await open_all(both_endpoints(live, own), person.token)
        shell.call(change, user_id=person.id, **arguments)
        await closed_in_time(ending, 4003, steady())
        assert await rejection(live.booking_url(booking), person.token) == ("forbidden", 4003)
        await live_on(staying)


async def test_a_reassignment_closes_the_former_workers_connections_of_that_booking(
    live: Stack, people: Actors, newcomer: Newcomer
) -> None:
    former, next_one = newcomer("worker"), newcomer("worker")
    booking, other = (people.employer.create_booking()["id"] for _ in range(2))
    for number in (booking, other):
        people.admin.assign(number, former.id)
    ending = await open_all([live.booking_url(booking, pod) for pod in PODS], former.token)
    staying = await open_all(both_endpoints(live, other), former.token)
    owners = await open_all([live.booking_url(booking, pod) for pod in PODS], people.employer.token)
    people.admin.assign(booking, next_one.id)
    await closed_in_time(ending, 4003, steady())
    assert await rejection(live.booking_url(booking), former.token) == ("forbidden", 4003)
    await live_on([*staying, *owners, await join(live.booking_url(booking), next_one.token)])


async def test_a_worker_who_gets_the_booking_back_may_watch_again(
    live: Stack, people: Actors, newcomer: Newcomer
) -> None:
    worker = newcomer("worker")
    booking = people.new_booking()
    for _ in range(2):
        people.admin.assign(booking, worker.id)
        socket = await join(live.booking_url(booking, pod=1), worker.token)
        people.admin.assign(booking, people.worker.id)
        await closed_in_time([socket], 4003, steady())


async def test_rotating_a_refresh_token_closes_nothing(live: Stack, people: Actors, newcomer: Newcomer) -> None:
    person = newcomer()
    booking = person.create_booking()["id"]
    urls = both_endpoints(live, booking)
    sockets = await open_all(urls, person.token)
    spent = person.refresh_token
    for _ in range(3):
        person.refresh()
    # A repeat with a token that was just spent closes nothing either.
    person.call("POST", "auth/refresh/", {"refresh": spent}, expect=200)
    sockets += await open_all(urls, person.token)
    # A later revocation is handled after these would have been: nothing is on its way still.
    witness = newcomer()
    watched = await open_all([live.notifications_url(pod) for pod in PODS], witness.token)
    witness.logout()
    await closed_in_time(watched, 4001, steady())
    await live_on(sockets)
