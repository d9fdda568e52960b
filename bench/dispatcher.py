"""A member of staff on `/ws/`, in Python: a few subscriptions are no load for it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

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


@dataclass(frozen=True)
class Received:
    """What is wrong with the events that a client received of bookings; all are 0 if each came once and in order."""

    lost: int
    repeated: int
    out_of_order: int

    @classmethod
    def of(cls, received: Mapping[str, Sequence[int]], first: Mapping[str, int], newest: Mapping[str, int]) -> Self:
        """Compare the seqs of each booking, in order of arrival, with those after ``first`` up to ``newest``."""
        lost = repeated = out_of_order = 0
        for booking, last in newest.items():
            seqs = received[booking]
            lost += len(set(range(first[booking] + 1, last + 1)).difference(seqs))
            repeated += len(seqs) - len({seq for seq in seqs if seq > first[booking]})
            out_of_order += sum(seq < before for before, seq in itertools.pairwise(seqs))
        return cls(lost, repeated, out_of_order)


class SubscribedDispatcher:
    """Subscribes to each booking of ``first``, which has the last seq, and resumes whenever its connection ends.

    It breaks each connection after so many events, without a close frame, as a lost network does. The connections go to
    the addresses in turn. ``received`` has the seq of each event, in order of arrival.
    """

    def __init__(
        self, addresses: Sequence[str], token: str, first: Mapping[str, int], events_per_connection: int
    ) -> None:
        self._addresses = addresses
        self._token = token
        self._events_per_connection = events_per_connection
        self._seqs = dict(first)
        self.received: dict[str, list[int]] = {booking: [] for booking in first}
        self.broken = 0
        self.joined = asyncio.Event()
        self._arrived = asyncio.Event()

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch meanwhile. The body is cancelled, and RuntimeError raised, if the server ends a subscription."""
        try:
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(self._watch())
                yield
                watching.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def until(self, newest: Mapping[str, int]) -> None:
        """Wait until the newest event of each booking has arrived."""
        while any(self._seqs[booking] < seq for booking, seq in newest.items()):
            self._arrived.clear()
            await self._arrived.wait()

    async def _watch(self) -> None:
        for address in itertools.cycle(self._addresses):
            async with open_connection(address, self._token) as connection:
                with contextlib.suppress(ConnectionClosed):
                    await self._subscribe(connection)
                    await self._receive(connection)

    async def _subscribe(self, connection: ClientConnection) -> None:
        bookings = list(self._seqs)
        for start in range(0, len(bookings), PER_MESSAGE):
            since = {booking: self._seqs[booking] for booking in bookings[start : start + PER_MESSAGE]}
            message = {"type": "subscribe", "channel": "booking", "booking_ids": list(since), "since": since}
            await connection.send(json.dumps(message, separators=(",", ":")))

    async def _receive(self, connection: ClientConnection) -> None:
        joined = events = 0
        async for text in connection:
            frame = json.loads(text)
            if frame["type"] == "booking_status":
                booking, seq = frame["booking_id"], frame["seq"]
                self.received[booking].append(seq)
                self._seqs[booking] = max(seq, self._seqs[booking])
                self._arrived.set()
                events += 1
                if events == self._events_per_connection:
                    self.broken += 1
                    connection.transport.abort()
                    return
            elif frame["type"] == "connection_established":
                joined += 1
                if joined == len(self._seqs):
                    self.joined.set()
            elif frame["type"] in ("unsubscribed", "resync_required", "error"):
                raise RuntimeError(f"the server sent {text!r} to a dispatcher")


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
