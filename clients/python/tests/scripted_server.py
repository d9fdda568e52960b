"""A WebSocket server that runs the scenarios of clients/conformance."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.typing import Subprotocol

Scenario = dict[str, Any]


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def snapshot(keys: dict[str, Any]) -> dict[str, Any]:
    more = dict(keys)
    expires_in = more.pop("expires_in", 3600)
    return {
        "type": "connection_established",
        "message": "Connected",
        "replay": 0,
        "heartbeat_seconds": 30,
        "status": "confirmed",
        "location": None,
        "expires_at": in_seconds(expires_in),
        "server_time": in_seconds(0),
        **more,
    }


def frame(keys: dict[str, Any]) -> dict[str, Any]:
    more = dict(keys)
    if (seconds := more.pop("timestamp_in", None)) is not None:
        more["timestamp"] = in_seconds(seconds)
    return more


class ScriptedServer:
    """Serve the connections of one scenario. `problems` has what differed from it."""

    def __init__(self, scenario: Scenario, mark_read: Callable[[str], None], changed: Callable[[], None]) -> None:
        self._connections: list[dict[str, Any]] = scenario["connections"]
        self._mark_read, self._changed = mark_read, changed
        self._count = 0
        self.finished = 0
        self.problems: list[str] = []

    @staticmethod
    def select(_connection: ServerConnection, offered: object) -> Subprotocol | None:
        return Subprotocol("jwt") if offered else None

    async def handle(self, connection: ServerConnection) -> None:
        number = self._count
        self._count += 1
        try:
            await self._serve(connection, number)
        except Exception as error:  # shown by the test
            self.problems.append(f"connection {number + 1}: {error!r}")
            raise
        finally:
            self._changed()
        await connection.wait_closed()

    async def _serve(self, connection: ServerConnection, number: int) -> None:
        assert connection.request
        assert number < len(self._connections), "one connection too many"
        expected = self._connections[number]
        query = parse_qs(urlsplit(connection.request.path).query)
        assert query.get("since", [None])[0] == expected["since"]
        if token := expected.get("token"):
            assert connection.request.headers["Sec-WebSocket-Protocol"].split(", ")[1] == token
        for step in expected["steps"]:
            [(kind, value)] = step.items()
            await self._step(connection, kind, value)
        self.finished += 1

    async def _step(self, connection: ServerConnection, kind: str, value: Any) -> None:
        if kind == "snapshot":
            await connection.send(json.dumps(snapshot(value)))
        elif kind == "send":
            await connection.send(json.dumps(frame(value)))
        elif kind == "text":
            await connection.send(value)
        elif kind == "close":
            await connection.close(value)
        elif kind == "cut":
            connection.transport.abort()
        elif kind == "mark_read":
            self._mark_read(value)
        elif kind == "receive":
            assert json.loads(await connection.recv()) == value
        else:
            raise AssertionError(f"unknown step: {kind}")
