"""A process without REST keeps no request body: it answers when the header is complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.server.conftest import own_server
from tests.support.raw_sockets import RawSocket
from tests.support.services import OwnServer


@pytest.mark.parametrize("length", ["Content-Length: 400000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize(("upgrade", "status"), [((), "404"), (("Upgrade: websocket", "Connection: Upgrade"), "400")])
def test_a_body_is_not_waited_for(shared_server: OwnServer, length: str, upgrade: tuple[str, ...], status: str) -> None:
    with RawSocket(shared_server.port) as client:
        client.request("/ws/notifications/", length, *upgrade, method="POST")
        assert client.header().split()[1] == status
        client.send(b"x" * 1_000_000)
        assert client.rest() == b""


def test_a_header_that_never_ends_is_dropped(tmp_path: Path) -> None:
    with own_server(tmp_path, WS_HANDSHAKE_TIMEOUT="1") as (server, _), RawSocket(server.port) as client:
        client.send(b"GET /ws/notifications/ HTTP/1.1\r\nHost: ")
        assert client.rest() == b""
