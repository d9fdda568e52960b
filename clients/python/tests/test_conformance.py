"""The scenarios that all clients share, against a scripted server."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from scripted_server import TERMINAL, Scenario, ScriptedServer, SharedServer
from websockets.asyncio.server import serve

from hunarmitra_realtime import BookingStream, Event, MarkReadError, NotificationStream, RealtimeConnection
from hunarmitra_realtime.base import Stream
from hunarmitra_realtime.events import Backoff
from hunarmitra_realtime.notifications import NotificationChannel

FOLDER = Path(__file__).parents[2] / "conformance"
ADDRESSES = {"booking": {"booking_id": "b"}, "notifications": {"channel": "notifications"}}
BACKOFF = Backoff(shortest=0.001, longest=0.005)
SCENARIOS = [
    pytest.param(kind, scenario, id=f"{kind}: {scenario['name']}")
    for kind in ("booking", "notifications")
    for scenario in json.loads((FOLDER / f"{kind}.json").read_text())
]


def pair(event: Event) -> list[Any] | None:
    """Return an event as the scenarios write it, or None for what they leave out."""
    if event.kind == "state":
        return None
    if event.kind == "location":
        return ["location", event.data and event.data["lat"]]
    if event.kind == "unread":
        return ["unread", event.unread]
    assert event.data
    if event.kind == "error":
        return None if event.data["code"] == "connection" else ["error", event.data["code"]]
    return [event.kind, event.data["seq"]]


def over_shared(scenario: Scenario) -> Scenario:
    """Without the error frame before the end of a subscription: the message of `unsubscribed` replaces it."""
    explained = [
        first["send"]["code"]
        for each in scenario["connections"]
        for first, second in pairwise(each["steps"])
        if second.get("close") in TERMINAL and first.get("send", {}).get("type") == "error"
    ]
    return {**scenario, "events": [each for each in scenario["events"] if each[1] not in explained]}


@pytest.mark.parametrize("endpoint", ["own", "/ws/"])
@pytest.mark.parametrize(("kind", "scenario"), SCENARIOS)
async def test_the_client_does_what_the_scenario_says(kind: str, scenario: Scenario, endpoint: str) -> None:
    shared = endpoint == "/ws/"
    scenario = over_shared(scenario) if shared else scenario
    told: list[list[Any]] = []
    marked: list[list[Any]] = []  # in a task of their own, so that their place among the events is open
    asked: list[bool] = []
    marking: set[asyncio.Task[None]] = set()
    progress = asyncio.Event()

    def token(refresh: bool) -> str | None:
        asked.append(refresh)
        answers: list[str | None] | None = scenario.get("tokens")
        return answers[len(asked) - 1] if answers else f"token-{len(asked)}"

    async def mark(notification_id: str) -> None:
        assert isinstance(stream, NotificationChannel)
        try:
            marked.append(["marked", await stream.mark_read(notification_id)])
        except MarkReadError as error:
            marked.append(["mark_failed", error.code])
        progress.set()

    arguments = (scenario, lambda each: marking.add(asyncio.create_task(mark(each))), progress.set)
    server = SharedServer(*arguments, address=ADDRESSES[kind]) if shared else ScriptedServer(*arguments)

    def complete() -> bool:
        expected = scenario["state"]["name"]
        ran = server.finished == len(scenario["connections"])
        return bool(server.problems) or (
            ran and len(told + marked) >= len(scenario["events"]) and stream.state.name == expected
        )

    async def collect() -> None:
        async for event in stream:
            if (given := pair(event)) is not None:
                told.append(given)
            progress.set()

    async with serve(server.handle, "127.0.0.1", 0, select_subprotocol=server.select, close_timeout=1) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        since = scenario.get("since")
        connection: RealtimeConnection | BookingStream | NotificationStream
        stream: Stream
        if shared:
            connection = RealtimeConnection(url, token=token, backoff=BACKOFF)
            booking = kind == "booking"
            stream = connection.booking("b", since=since) if booking else connection.notifications(since=since)
        elif kind == "booking":
            stream = connection = BookingStream(url, "b", token=token, since=since, backoff=BACKOFF)
        else:
            stream = connection = NotificationStream(url, token=token, since=since, backoff=BACKOFF)
        async with connection:
            collector = asyncio.create_task(collect())
            async with asyncio.timeout(60):
                while not complete():
                    await progress.wait()
                    progress.clear()
            assert server.problems == []
            assert told == [each for each in scenario["events"] if not each[0].startswith("mark")]
            assert marked == [each for each in scenario["events"] if each[0].startswith("mark")]
            for key, value in scenario["state"].items():
                assert getattr(stream.state, key) == value
            if "seq" in scenario:
                assert stream.seq == scenario["seq"]
            if "refreshes" in scenario:
                assert asked == scenario["refreshes"]
        await collector
    assert stream.state.name == "closed"
