"""The two lanes of a socket under pressure: a client that does not read, forced by a `send` that waits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.lanes import AsgiLanes


class SlowClient:
    """An ASGI `send` that waits for `reads()` calls before it returns."""

    def __init__(self) -> None:
        self.sent: list[str | int] = []
        self._allowed = asyncio.Semaphore(0)

    async def send(self, event: Mapping[str, Any]) -> None:
        self.sent.append(event["text"] if event["type"] == "websocket.send" else event["code"])
        await self._allowed.acquire()

    async def reads(self, count: int) -> None:
        for _ in range(count):
            self._allowed.release()
        for _ in range(20 * count):
            await asyncio.sleep(0)


async def lanes_of_a_slow_client(limit: int = 1000) -> tuple[AsgiLanes, SlowClient]:
    """Busy with a first frame, so that everything after it waits."""
    client = SlowClient()
    lanes = AsgiLanes(client.send, limit)
    lanes.push(OutgoingFrame("first"))
    await asyncio.sleep(0)
    assert client.sent == ["first"]
    return lanes, client


async def test_of_waiting_locations_only_the_newest_is_sent_and_after_every_status() -> None:
    lanes, client = await lanes_of_a_slow_client()
    for number in range(5):
        lanes.set_location(OutgoingFrame(f"location {number}"))
        lanes.push(OutgoingFrame(f"status {number}"))
    await client.reads(10)
    assert client.sent == ["first", *(f"status {number}" for number in range(5)), "location 4"]


async def test_a_waiting_location_is_forgotten_when_it_may_no_longer_be_seen() -> None:
    lanes, client = await lanes_of_a_slow_client()
    lanes.set_location(OutgoingFrame("location"))
    lanes.clear_location()
    lanes.push(OutgoingFrame("completed"))
    await client.reads(10)
    assert client.sent == ["first", "completed"]


async def test_bookings_take_turns_so_that_a_busy_one_delays_no_other() -> None:
    lanes, client = await lanes_of_a_slow_client()
    busy, quiet, gone = object(), object(), object()
    lanes.set_location_of(busy, OutgoingFrame("busy 1"))
    lanes.set_location_of(gone, OutgoingFrame("gone"))
    lanes.set_location_of(quiet, OutgoingFrame("quiet"))
    lanes.set_location_of(busy, OutgoingFrame("busy 2"))
    lanes.clear_location_of(gone)
    await client.reads(1)
    lanes.set_location_of(busy, OutgoingFrame("busy 3"))
    lanes.push(OutgoingFrame("status"))
    await client.reads(10)
    assert client.sent == ["first", "busy 2", "status", "quiet", "busy 3"]


async def test_a_close_comes_after_the_statuses_and_drops_the_location() -> None:
    lanes, client = await lanes_of_a_slow_client()
    lanes.push(OutgoingFrame("status"))
    lanes.set_location(OutgoingFrame("location"))
    lanes.close(CloseCode.FORBIDDEN)
    lanes.push(OutgoingFrame("too late"))
    lanes.set_location(OutgoingFrame("too late"))
    await client.reads(10)
    assert client.sent == ["first", "status", 4003]


async def test_a_send_buffer_that_overflows_is_closed_4008() -> None:
    frame = OutgoingFrame("x" * 10)
    lanes, client = await lanes_of_a_slow_client(limit=10 * frame.size)
    for _ in range(10):
        lanes.push(frame)
    await asyncio.sleep(0)
    assert client.sent == ["first"]
    lanes.push(OutgoingFrame("x"))
    await client.reads(10)
    assert client.sent == ["first", 4008]


async def test_locations_never_overflow_a_buffer() -> None:
    lanes, client = await lanes_of_a_slow_client(limit=100)
    for number in range(1000):
        lanes.set_location(OutgoingFrame(f"{number:050d}"))
    assert not lanes.closing
    await client.reads(10)
    assert client.sent == ["first", f"{999:050d}"]
