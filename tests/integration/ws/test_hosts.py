"""A handshake must name a host of this server, or a page of another name could reach it through its own DNS."""

from __future__ import annotations

import pytest

from tests.support.actors import Actors
from tests.support.live import on_every_server
from tests.support.raw_sockets import UPGRADE, RawSocket
from tests.support.sockets import Socket
from tests.support.stack import Stack


@on_every_server
@pytest.mark.parametrize("host", ["evil.example", "10.0.0.9:8000"])
def test_a_foreign_host_is_refused_and_logged_once_with_the_setting(live: Stack, people: Actors, host: str) -> None:
    for _ in range(2):
        with RawSocket(live.ws[0].port) as client:
            client.request(f"/ws/notifications/?token={people.employer.token}", *UPGRADE, host=host)
            status = client.header().split()[1]
        assert status in {"400", "403"}  # stock daphne can only answer 403
    assert live.ws[0].log_text().count(f"rejected the host '{host}'") == 1


@on_every_server
async def test_a_listed_host_is_accepted(live: Stack, people: Actors) -> None:
    url = f"ws://localhost:{live.ws[0].port}/ws/notifications/"
    async with await Socket.connect(url, token=people.employer.token) as socket:
        await socket.joined()
