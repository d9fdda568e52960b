"""A WebSocket server that runs the scenarios of clients/conformance."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
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


TERMINAL = {4003, 4004}


def in_handshake(steps: list[dict[str, Any]]) -> bool:
    """Whether the endpoint would have rejected the connection for a reason that is not the channel's."""
    return any(
        (kind == "close" and value not in TERMINAL) or kind == "cut"
        for step in steps[:2]
        for kind, value in step.items()
    ) and not any("snapshot" in step for step in steps)


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


class SharedServer(ScriptedServer):
    """The same over `/ws/`: each subscription of the channel is a connection of the scenario.

    What ends a connection for a reason of the channel ends the subscription; anything else ends the connection.
    """

    def __init__(self, *arguments: Any, address: dict[str, str]) -> None:
        super().__init__(*arguments)
        self._address = address

    async def handle(self, connection: ServerConnection) -> None:
        try:
            assert connection.request
            assert urlsplit(connection.request.path).path == "/ws/"
            await self._serve_shared(connection)
        except ConnectionClosed:
            pass
        except Exception as error:  # shown by the test
            self.problems.append(f"connection {self._count + 1}: {error!r}")
            raise
        finally:
            self._changed()

    async def _serve_shared(self, connection: ServerConnection) -> None:
        assert self._count < len(self._connections), "one connection too many"
        steps = self._connections[self._count]["steps"]
        self._check_token(connection)
        if in_handshake(steps):
            self._count += 1
            for step in steps:
                [(kind, value)] = step.items()
                await self._step(connection, kind, value)
            self.finished += 1
            return
        first: dict[str, Any] = next((step["snapshot"] for step in steps if "snapshot" in step), {})
        common = ("heartbeat_seconds", "expires_at", "server_time")
        told = {key: value for key, value in snapshot(first).items() if key in common}
        await connection.send(
            json.dumps({"type": "connected", "message": "Connected", "max_subscriptions": 20, **told})
        )
        async for text in connection:
            expected = self._connections[self._count]
            since = {} if expected["since"] is None else {"since": int(expected["since"])}
            channel = {"channel": "booking"} if "booking_id" in self._address else {}
            assert json.loads(text) == {"type": "subscribe", **channel, **self._address, **since}
            self._check_token(connection)
            await self._steps(connection, expected["steps"])

    def _check_token(self, connection: ServerConnection) -> None:
        assert connection.request
        if token := self._connections[self._count].get("token"):
            assert connection.request.headers["Sec-WebSocket-Protocol"].split(", ")[1] == token

    async def _steps(self, connection: ServerConnection, steps: list[dict[str, Any]]) -> None:
        self._count += 1
        refusal: dict[str, str] = {}
        for step in steps:
            [(kind, value)] = step.items()
            if kind == "snapshot":
                await connection.send(json.dumps({**snapshot(value), **self._address}))
            elif kind == "send" and value["type"] == "error" and "close" in steps[-1]:
                refusal = {"message": value["message"]}
            elif kind == "send" and value["type"] not in UNADDRESSED:
                await connection.send(json.dumps({**frame(value), **self._address}))
            elif kind == "close" and value in TERMINAL:
                keys = {"channel": "booking", **self._address, "code": value, **refusal}
                await connection.send(json.dumps({"type": "unsubscribed", **keys}))
            elif kind == "receive":
                received = json.loads(await connection.recv())
                addressed = value["type"] in {"ack", "mark_read"}
                assert received == ({**value, **self._address} if addressed else value)
            else:
                await self._step(connection, kind, value)
        self.finished += 1
        self._changed()


UNADDRESSED = {"pong", "authenticated", "reconnect"}
