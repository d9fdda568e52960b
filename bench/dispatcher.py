"""A member of staff on `/ws/`, in Python: a few subscriptions are no load for it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

PER_MESSAGE = 180
"""Bookings of one `subscribe`, which has at most 16 KiB."""

TIMEOUT = 120.0


def open_connection(address: str, token: str) -> Any:
    return connect(
        f"ws://{address}/ws/?token={token}", compression=None, ping_interval=None, max_size=None, max_queue=None
    )


async def seconds_to_subscribe(address: str, token: str, bookings: Sequence[str]) -> float:
    """Subscribe to all bookings; the time from the first request to the last first frame."""
    async with open_connection(address, token) as connection, asyncio.timeout(TIMEOUT):
        await connection.recv()
        began = time.monotonic()
        for start in range(0, len(bookings), PER_MESSAGE):
            ids = bookings[start : start + PER_MESSAGE]
            await connection.send(json.dumps({"type": "subscribe", "channel": "booking", "booking_ids": ids}))
        joined = 0
        while joined < len(bookings):
            joined += '"connection_established"' in await connection.recv(decode=True)
        return time.monotonic() - began


class LiveDispatcher:
    """Subscribes to `live` and counts. ``seqs`` has the newest status event of each booking."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.seqs: dict[str, int] = {}
        self.missing = 0
        self.repeated = 0
        self.locations = 0

    async def pages(self) -> None:
        async with asyncio.timeout(TIMEOUT):
            await self._connection.recv()
            await self._connection.send('{"type": "subscribe", "channel": "live"}')
            last = False
            while not last:
                frame = json.loads(await self._connection.recv())
                if frame["type"] == "live_page":
                    self.seqs |= {each["booking_id"]: each["seq"] for each in frame["bookings"]}
                    last = frame.get("last", False)

    async def watch(self) -> None:
        """Count frames until the task is cancelled."""
        async for text in self._connection:
            if text.startswith('{"type":"location_update"'):  # type: ignore[arg-type]
                self.locations += 1
                continue
            frame = json.loads(text)
            if frame["type"] == "booking_status":
                self.count(frame["booking_id"], frame["seq"])

    def count(self, booking: str, seq: int) -> None:
        known = self.seqs.get(booking, 0)
        self.repeated += seq <= known
        self.missing += max(0, seq - known - 1)
        self.seqs[booking] = max(seq, known)
