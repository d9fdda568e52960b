"""`helm test`: sign in over REST, watch a booking over a WebSocket, change it over REST and wait for the event.

The user and the booking are made for it and deleted afterwards, whatever happens. It runs in the http image, which has
no WebSocket client; so there is a small one below (RFC 6455).
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import socket
import struct
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import django

TIMEOUT = 15
"""Seconds for each answer."""


class RoundTripError(Exception):
    """The sentence that says what did not work."""


class Rest:
    """`base` is the Service's address; `host` the name that ALLOWED_HOSTS has."""

    def __init__(self, base: str, host: str) -> None:
        self._base = base
        self._headers = {"Host": host, "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: dict[str, Any]) -> Any:
        url = f"{self._base}/api/v1/{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), self._headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise RoundTripError(f"{method} {path} was answered {error.code}: {error.read(500)!r}") from None
        except OSError as error:
            raise RoundTripError(f"{method} {path}: {error}") from None

    def sign_in(self, username: str, password: str) -> None:
        tokens = self.call("POST", "auth/token/", {"username": username, "password": password})
        self._headers["Authorization"] = f"Bearer {tokens['access']}"


class WebSocket:
    """Reads text frames until it is closed."""

    def __init__(self, base: str, host: str, path: str) -> None:
        address = urlsplit(base)
        self._socket = socket.create_connection((str(address.hostname), address.port or 80), timeout=TIMEOUT)
        self._stream = self._socket.makefile("rb")
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {base64.b64encode(secrets.token_bytes(16)).decode()}",
            "Sec-WebSocket-Version: 13",
        )
        self._socket.sendall("\r\n".join((*lines, "", "")).encode())
        status = self._stream.readline().decode()
        if " 101 " not in status:
            raise RoundTripError(f"the WebSocket handshake was answered {status.strip()!r}")
        while self._stream.readline() not in {b"\r\n", b""}:
            pass

    def next(self, kind: str) -> dict[str, Any]:
        """The next frame of type `kind`."""
        while True:
            frame = self._read()
            if frame["type"] == kind:
                return frame
            if frame["type"] == "error":
                raise RoundTripError(f"the connection received {frame}")

    def _read(self) -> dict[str, Any]:
        try:
            while True:
                opcode, payload = self._frame()
                if opcode == 1:
                    return dict(json.loads(payload))
                if opcode == 8:
                    raise RoundTripError(f"the connection was closed with {struct.unpack('!H', payload[:2])[0]}")
        except TimeoutError:
            raise RoundTripError(f"no event within {TIMEOUT} s") from None

    def _frame(self) -> tuple[int, bytes]:
        head = self._stream.read(2)
        if len(head) < 2:
            raise RoundTripError("the connection was lost")
        length = head[1] & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._stream.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._stream.read(8))
        return head[0] & 0x0F, self._stream.read(length)

    def close(self) -> None:
        self._socket.close()


def round_trip(rest: Rest, ws_base: str, host: str, username: str, password: str) -> None:
    rest.sign_in(username, password)
    booking = rest.call("POST", "bookings/", {"service": "helm test", "address": "nowhere"})
    ticket = rest.call("POST", "realtime/tickets/", {})["ticket"]
    watcher = WebSocket(ws_base, host, f"/ws/bookings/{booking['id']}/?ticket={ticket}")
    try:
        joined = watcher.next("connection_established")
        if joined["seq"] != booking["seq"]:
            raise RoundTripError(f"the connection begins at event {joined['seq']}, REST says {booking['seq']}")
        rest.call("PATCH", f"bookings/{booking['id']}/status/", {"status": "cancelled"})
        event = watcher.next("booking_status")
    finally:
        watcher.close()
    if (event["status"], event["seq"]) != ("cancelled", booking["seq"] + 1):
        raise RoundTripError(f"the event is {event}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--http", "--ws", "--host"):
        parser.add_argument(option, required=True)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hunarmitra.settings")
    django.setup()

    from django.db import DatabaseError

    try:
        with_a_user(options.http, options.ws, options.host)
    except DatabaseError as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise SystemExit(f"failed: the database does not answer: {lines[0].strip()}") from None
    except RoundTripError as error:
        raise SystemExit(f"failed: {error}") from None
    print("REST, WebSocket and the event's way from one to the other work")  # noqa: T201 - a command


def with_a_user(http: str, ws: str, host: str) -> None:
    """Test the round trip with a new user, who is deleted afterwards."""
    from hunarmitra.accounts.services import user_create, user_delete
    from hunarmitra.bookings.models import Booking

    password = secrets.token_urlsafe(24)
    user = user_create(username=f"helm-test-{secrets.token_hex(6)}", password=password, name="helm test")
    try:
        round_trip(Rest(http, host), ws, host, user.username, password)
    finally:
        Booking.objects.filter(owner=user).delete()
        user_delete(user_id=user.pk)


if __name__ == "__main__":
    main()
