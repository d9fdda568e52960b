"""Which web pages may open a socket: the listed ones and the server's own."""

from __future__ import annotations

import pytest
from websockets.exceptions import InvalidStatus

from tests.support.actors import Actors
from tests.support.live import ALLOWED_ORIGIN, APP_ORIGIN, on_every_server
from tests.support.sockets import Socket
from tests.support.stack import Stack

pytestmark = pytest.mark.usefixtures("over_rarely")


async def check_allowed(live: Stack, people: Actors, origin: str | None) -> None:
    async with await Socket.connect(live.notifications_url(), token=people.employer.token, origin=origin) as socket:
        await socket.joined()


async def refusal(live: Stack, people: Actors, origin: str) -> int:
    """The HTTP status with which a page of `origin` is refused: the only refusal that comes before the accept."""
    with pytest.raises(InvalidStatus) as refused:
        await Socket.connect(live.notifications_url(), token=people.employer.token, origin=origin)
    return refused.value.response.status_code


@on_every_server
async def test_native_apps_send_no_origin_and_may(live: Stack, people: Actors) -> None:
    await check_allowed(live, people, None)


@on_every_server
async def test_a_listed_origin_may(live: Stack, people: Actors) -> None:
    await check_allowed(live, people, ALLOWED_ORIGIN)
    await check_allowed(live, people, ALLOWED_ORIGIN.upper())


@on_every_server
async def test_an_app_with_a_scheme_of_its_own_may_be_listed(live: Stack, people: Actors) -> None:
    await check_allowed(live, people, APP_ORIGIN)
    assert await refusal(live, people, "ionic://localhost") == 403


@on_every_server
async def test_a_rejected_origin_is_logged_once_with_the_setting(live: Stack, people: Actors) -> None:
    for _ in range(2):
        assert await refusal(live, people, "https://logged.example") == 403
    assert live.ws[0].log_text().count("'https://logged.example'; to allow it, add it to ALLOWED_ORIGINS") == 1


@on_every_server
async def test_the_servers_own_host_and_port_may(live: Stack, people: Actors) -> None:
    await check_allowed(live, people, f"http://127.0.0.1:{live.ws[0].port}")


@on_every_server
@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        f"{ALLOWED_ORIGIN}.evil.example",
        f"{ALLOWED_ORIGIN}:8443",
        "http://app.example.org",
        "file://",
        "chrome-extension://abcdef",
    ],
)
async def test_any_other_origin_gets_http_403(live: Stack, people: Actors, origin: str) -> None:
    assert await refusal(live, people, origin) == 403


@on_every_server
@pytest.mark.parametrize("origin", ["http://[::1", "http://127.0.0.1:99999", "http://127.0.0.1:port", "//", "x" * 300])
async def test_what_is_no_origin_is_refused_too(live: Stack, people: Actors, origin: str) -> None:
    """Some with 400, by daphne itself, before the application sees them."""
    assert await refusal(live, people, origin) in {400, 403}


@on_every_server
async def test_the_own_host_under_another_port_gets_http_403(live: Stack, people: Actors) -> None:
    assert await refusal(live, people, f"http://127.0.0.1:{live.ws[0].port + 1}") == 403
    assert await refusal(live, people, f"http://localhost:{live.ws[0].port}") == 403


@on_every_server
async def test_a_refused_origin_spends_no_ticket(live: Stack, people: Actors) -> None:
    ticket = people.employer.ticket()
    with pytest.raises(InvalidStatus):
        await Socket.connect(live.notifications_url(), token=ticket, how="ticket", origin="https://evil.example")
    async with await Socket.connect(live.notifications_url(), token=ticket, how="ticket") as socket:
        await socket.joined()
