"""`hunarmitra watch`, against a scripted server."""

from __future__ import annotations

import json

import pytest
from scripted_server import ScriptedServer, in_seconds, snapshot
from websockets.asyncio.server import ServerConnection, serve

from hunarmitra_realtime.command import parser, watch


def status(seq: int, name: str) -> dict[str, object]:
    keys = {"type": "booking_status", "seq": seq, "status": name, "event_type": f"booking_{name}", "actor": "Ravi"}
    return {"send": {**keys, "timestamp": "2026-01-03T11:00:00Z"}}


async def run(steps: list[dict[str, object]], *arguments: str) -> int:
    server = ScriptedServer({"connections": [{"since": "0", "steps": steps}]}, lambda _: None, lambda: None)
    async with serve(server.handle, "127.0.0.1", 0, select_subprotocol=server.select, close_timeout=1) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        return await watch(parser().parse_args(["watch", "b", "--server", url, *arguments]))


async def test_it_prints_events_until_the_booking_is_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HUNARMITRA_TOKEN", "token")
    place = {"type": "location_update", "lat": 28.6, "lng": 77.2, "timestamp_in": -1, "eta_minutes": 7, "actor": "Ravi"}
    code = await run(
        [{"snapshot": {"seq": 1, "replay": 1}}, status(1, "on_the_way"), {"send": place}, status(2, "completed")]
    )
    assert code == 0
    assert capsys.readouterr().out.splitlines() == [
        "2026-01-03T11:00:00Z    1  booking_on_the_way (Ravi)",
        "location: 28.6, 77.2, ETA 7 min",
        "2026-01-03T11:00:00Z    2  booking_completed (Ravi)",
    ]


async def test_a_booking_of_others_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HUNARMITRA_TOKEN", "token")
    error = {"type": "error", "code": "not_allowed", "message": "You may not watch this booking"}
    assert await run([{"send": error}, {"close": 4003}]) == 1
    assert capsys.readouterr().err == "closed: forbidden You may not watch this booking\n"


async def test_without_credentials_it_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("HUNARMITRA_TOKEN", "HUNARMITRA_USER", "HUNARMITRA_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    assert await run([]) == 2
    assert "HUNARMITRA_USER and HUNARMITRA_PASSWORD" in capsys.readouterr().err


async def test_several_bookings_share_one_connection(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HUNARMITRA_TOKEN", "token")
    requests: list[dict[str, object]] = []

    async def handle(connection: ServerConnection) -> None:
        times = {"heartbeat_seconds": 30, "expires_at": in_seconds(3600), "server_time": in_seconds(0)}
        await connection.send(json.dumps({"type": "connected", **times}))
        requests.append(json.loads(await connection.recv()))
        for booking, name in (("a", "completed"), ("b", "cancelled")):
            for frame in (snapshot({"seq": 1, "replay": 1}), status(1, name)["send"]):
                assert isinstance(frame, dict)
                await connection.send(json.dumps({**frame, "booking_id": booking}))
        refused = {
            "type": "unsubscribed",
            "channel": "booking",
            "booking_id": "c",
            "code": 4003,
            "message": "Not yours",
        }
        await connection.send(json.dumps(refused))
        await connection.wait_closed()

    async with serve(handle, "127.0.0.1", 0, select_subprotocol=ScriptedServer.select, close_timeout=1) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        assert await watch(parser().parse_args(["watch", "a", "b", "c", "a", "--server", url])) == 1
    assert requests == [
        {"type": "subscribe", "channel": "booking", "booking_ids": ["a", "b", "c"], "since": {"a": 0, "b": 0, "c": 0}}
    ]
    printed = capsys.readouterr()
    assert sorted(printed.out.splitlines()) == [
        "a  2026-01-03T11:00:00Z    1  booking_completed (Ravi)",
        "b  2026-01-03T11:00:00Z    1  booking_cancelled (Ravi)",
    ]
    assert printed.err == "c  closed: forbidden Not yours\n"
