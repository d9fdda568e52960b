"""Clients that reset their connection during the handshake: no error in the log, and never counted as joined."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.integration.server.conftest import Clients, own_clients
from tests.support.eventually import eventually_async
from tests.support.faults import Faults
from tests.support.metrics import Scrape
from tests.support.scene import off_loop
from tests.support.services import OwnServer

HANDSHAKE = (
    "GET {path}?token={token} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class RawClient:
    """A TCP connection that has sent a handshake."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=30)
        self._socket.sendall(HANDSHAKE.format(path=parts.path, token=token, host=parts.netloc).encode())

    def until_accepted(self) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._socket.recv(4096)
        assert received.startswith(b"HTTP/1.1 101"), received

    def reset(self) -> None:
        """Close with a RST instead of a FIN."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


def outcomes(server: OwnServer) -> dict[str, float]:
    scrape = Scrape(f"{server.admin_url}/metrics")
    return {
        outcome: scrape("hunarmitra_ws_handshakes_total", outcome=outcome) for outcome in ("joined", "abandoned")
    } | {"open": scrape.total("hunarmitra_ws_connections")}


async def until(server: OwnServer, wanted: dict[str, float]) -> None:
    await eventually_async(lambda: off_loop(is_at, server, wanted), 60, f"outcomes are {wanted}")


def is_at(server: OwnServer, wanted: dict[str, float]) -> bool:
    return outcomes(server) == wanted


async def test_a_client_that_resets_during_its_join_is_abandoned_in_silence(tmp_path: Path) -> None:
    faults = Faults(tmp_path / "faults")
    async with own_clients(tmp_path, **faults.environment) as (server, clients):
        url, token = await of_new_booking(clients)
        for number, point in enumerate(("subscribed, not read", "read, not live"), 1):
            fault = faults.arm(point)
            client = await off_loop(RawClient, url, token)
            await fault.reached_by_one()
            client.reset()
            await eventually_async(lambda: off_loop(lambda: outcomes(server)["open"] == 0), 60, "the reset is noticed")
            fault.release()
            await until(server, {"joined": 0, "abandoned": number, "open": 0})
        assert "ERROR" not in server.log_text()


async def test_clients_that_reset_just_after_the_handshake_leave_no_error(tmp_path: Path) -> None:
    async with own_clients(tmp_path) as (server, clients):
        url, token = await of_new_booking(clients)
        number = 60
        await off_loop(reset_after_up_to_20_ms, url, token, number)

        def all_counted() -> bool:
            found = outcomes(server)
            return found["open"] == 0 and found["joined"] + found["abandoned"] == number

        await eventually_async(lambda: off_loop(all_counted), 60, "every handshake is counted")
        log = server.log_text()
        assert "ERROR" not in log
        assert "Traceback" not in log


async def of_new_booking(clients: Clients) -> tuple[str, str]:
    booking_id = await off_loop(clients.actors.new_booking)
    return clients.booking_url(booking_id), clients.actors.admin.token


def reset_after_up_to_20_ms(url: str, token: str, number: int) -> None:
    for index in range(number):
        client = RawClient(url, token)
        client.until_accepted()
        # The time is the thing under test: what the server does in these 20 ms.
        time.sleep(0.020 * index / number)
        client.reset()
