"""Every JavaScript example of the API document, run as it stands under Node.js, and what the Dart one relies on."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support import contract, tools
from tests.support.actors import Actors
from tests.support.eventually import eventually_async
from tests.support.live import join
from tests.support.stack import Stack
from tests.support.surroundings import clean_environment

HARNESS = Path(__file__).with_name("snippet.js")
DOCUMENT = "realtime-api.md"


def snippet(heading: str, language: str = "javascript") -> str:
    [found] = [
        block.text for block in contract.blocks(DOCUMENT) if (block.heading, block.language) == (heading, language)
    ]
    return found


class Running:
    """An example in its own Node.js, and the calls it has made."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.calls: list[tuple[str, list[Any]]] = []

    async def until(self, call: str, timeout: float = 60) -> list[Any]:
        """The arguments of the next such call."""
        assert self._process.stdout is not None
        async with asyncio.timeout(timeout):
            while line := await self._process.stdout.readline():
                said = json.loads(line)
                self.calls.append((said["call"], said["args"]))
                if said["call"] == call:
                    return list(said["args"])
        raise AssertionError(f"the example ended before {call}: {self.calls}")

    def arguments_of(self, call: str) -> list[list[Any]]:
        return [arguments for name, arguments in self.calls if name == call]


@asynccontextmanager
async def run(code: str, stack: Stack, **names: str) -> AsyncIterator[Running]:
    """`names` are the variables that the example takes from its page; hosts in it are placeholders."""
    code = code.replace("ws://localhost:8000", stack.ws_urls[0])
    module = tools.wscat().parent.parent / "ws"
    process = await asyncio.create_subprocess_exec(
        "node", str(HARNESS), str(module), json.dumps(names), code,
        stdout=asyncio.subprocess.PIPE, env=clean_environment(),
    )  # fmt: skip
    try:
        yield Running(process)
    finally:
        process.kill()
        await process.communicate()


async def test_subscribing_to_a_booking(stack: Stack, actors: Actors) -> None:
    booking = actors.new_booking("confirmed")
    code = snippet("1. Subscribe to Booking Updates")
    code = code.replace("eyJ0eXAiOiJKV1QiLCJhbGc...", actors.employer.token).replace("abc-123-def-456", booking)
    async with run(code, stack) as example:
        assert await example.until("console.log") == ["Connected to booking channel"]
        assert (await example.until("received"))[0]["type"] == "connection_established"
        actors.worker.status(booking, "on_the_way")
        assert await example.until("updateBookingStatus") == ["on_the_way"]
        actors.worker.track(booking, 28.6139, 77.2090)
        assert await example.until("updateMarker") == [28.6139, 77.209]
        # Its keep-alive: after 30 s, and answered.
        assert example.arguments_of("setInterval") == [[30000]]
        assert await example.until("received") == [{"type": "pong"}]
        actors.admin.assign(booking, actors.other_worker.id)
        assert (await example.until("updateBookingStatus")) == ["on_the_way"]
    received = example.arguments_of("received")
    assert all(logged[0] == "Event received:" for logged in example.arguments_of("console.log")[1:])
    assert [frame["type"] for [frame] in received if frame["type"] != "pong"] == [
        "connection_established",
        "booking_status",
        "location_update",
        "booking_status",
    ]


async def test_a_closed_booking_connection_says_so(stack: Stack, actors: Actors) -> None:
    code = snippet("1. Subscribe to Booking Updates").replace("abc-123-def-456", actors.new_booking())
    async with run(code, stack) as example:  # the document's own token, which is none
        assert await example.until("closed") == [4001]
        await example.until("console.log")
        assert ["Disconnected"] in example.arguments_of("console.log")


async def test_subscribing_to_notifications(stack: Stack, actors: Actors) -> None:
    async with run(snippet("2. Subscribe to User Notifications"), stack, token=actors.employer.token) as example:
        # It shows every frame: the first one has a title and a message too.
        assert await example.until("showNotification") == ["Notifications", "Connected to notifications"]
        actors.admin.assign(actors.new_booking("requested"), actors.worker.id)
        title, message = await example.until("showNotification")
        assert title
        assert message


async def test_the_live_map(stack: Stack, actors: Actors) -> None:
    booking = actors.new_booking("on_the_way", lat="28.695000", lng="77.200000")
    names = {"token": actors.employer.token, "bookingId": booking}
    async with run(snippet("Example: Live Tracking Map"), stack, **names) as example:
        await example.until("received")
        actors.worker.track(booking, 28.60, 77.2, timestamp="2026-01-03T11:05:00Z")
        assert await example.until("L.marker.addTo.setLatLng") == [[28.6, 77.2]]
        assert await example.until("L.map.setView.panTo") == [[28.6, 77.2]]
        # 1.1 km in a minute, and 9.5 km to go; again as soon as the rate limit allows it.
        body = {"lat": 28.61, "lng": 77.2, "timestamp": "2026-01-03T11:06:00Z"}
        await eventually_async(lambda: actors.worker.send("POST", f"tracking/{booking}/", body).is_success)
        assert await example.until("document.getElementById.textContent =") == ["9 minutes away"]


async def test_reconnecting_with_backoff(stack: Stack, actors: Actors) -> None:
    url = f"{stack.notifications_url()}?token=expired"
    code = f"{snippet('Client Reconnection')}\nconnectWithRetry({json.dumps(url)})"
    async with run(code, stack) as example:
        delays = [(await example.until("setTimeout"))[0] for _ in range(7)]
    assert delays == [1000, 2000, 4000, 8000, 16000, 30000, 30000]
    assert {code for [code] in example.arguments_of("closed")} == {4001}


async def test_the_dart_example_finds_every_key_that_it_reads(stack: Stack, actors: Actors) -> None:
    code = snippet("1. Subscribe to Booking Updates", "dart")
    keys = set(re.findall(r"data\['(\w+)'\]", code))
    types = set(re.findall(r"data\['type'\] == '(\w+)'", code))
    assert types == {"booking_status", "location_update"}
    booking = actors.new_booking("confirmed")
    async with await join(stack.booking_url(booking), actors.employer.token) as socket:
        actors.worker.status(booking, "on_the_way")
        actors.worker.track(booking, 28.6139, 77.2090)
        status, location = await socket.next_of("booking_status"), await socket.next_of("location_update")
    assert {status["type"], location["type"]} == types
    assert keys <= status.keys() | location.keys()
    assert {"type", "status"} <= status.keys()
    assert {"type", "lat", "lng"} <= location.keys()
    assert "/ws/bookings/$bookingId/?token=$token" in code
