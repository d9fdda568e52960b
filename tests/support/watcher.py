"""A client that watches one booking, and resumes whenever its connection ends."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

from websockets.exceptions import InvalidHandshake

from tests.support.scene import positions
from tests.support.sockets import Frame, Socket

FINAL = frozenset({"completed", "cancelled"})


class Watcher:
    """Breaks each connection after a random number of frames, and resumes with `since` on a random pod.

    `frames` are those of all connections, in order. `urls` are those of the booking, one for each pod.
    """

    def __init__(self, urls: list[str], token: str, rng: random.Random, *, from_start: bool) -> None:
        self._urls = urls
        self._token = token
        self._rng = rng
        self.since = 0 if from_start else None
        self.started_at = 0
        self.frames: list[Frame] = []
        self.connections = 0
        self.joined = asyncio.Event()

    async def run(self, *, frames_per_connection: float) -> None:
        """Watch until the booking's end, then connect again, to see that no event follows."""
        while not self.ended:
            await self._connect_once(int(self._rng.expovariate(1 / frames_per_connection)))
            await asyncio.sleep(self._rng.uniform(0, 0.2))
        socket = await Socket.connect(self._rng.choice(self._urls), token=self._token, since=self.since, timeout=30)
        await socket.joined(30)
        self.frames += socket.frames[:1] + await socket.synchronized(30)
        await socket.close()

    @property
    def ended(self) -> bool:
        return any(frame.get("status") in FINAL for frame in self.frames)

    @property
    def events(self) -> list[Frame]:
        return [frame for frame in self.frames if frame["type"] == "booking_status"]

    async def _connect_once(self, most_frames: int) -> None:
        try:
            socket = await Socket.connect(self._rng.choice(self._urls), token=self._token, since=self.since, timeout=30)
        except (OSError, TimeoutError, InvalidHandshake):
            return
        self.connections += 1
        taken = 0
        with contextlib.suppress(AssertionError):  # The connection broke; its frames count.
            while not self.ended and taken <= most_frames:
                frame = await socket.next_frame(30)
                self._take(frame)
                taken += 1
        await socket.drop()

    def _take(self, frame: Frame) -> None:
        self.frames.append(frame)
        if frame["type"] == "connection_established":
            if self.since is None:
                self.since = self.started_at = frame["seq"]
            self.joined.set()
        elif frame["type"] == "booking_status":
            self.since = frame["seq"]


def nothing_lost_repeated_or_reordered(watcher: Watcher, log: list[tuple[int, str, str]]) -> None:
    """Check the frames against `log`, the database's events as (seq, event type, status)."""
    seen = [(frame["seq"], frame["event_type"], frame["status"]) for frame in watcher.events]
    assert seen == log[watcher.started_at :]
    assert {frame["type"] for frame in watcher.frames} <= {
        "connection_established",
        "booking_status",
        "location_update",
    }


def positions_only_forward(watcher: Watcher, key: Callable[[Frame], float]) -> int:
    """Check that no older location follows a newer one, and none the end; return their number.

    A snapshot may repeat the newest one.
    """
    shown = [key(frame) for frame in positions(watcher.frames)]
    assert shown == sorted(shown)
    ends = [number for number, frame in enumerate(watcher.frames) if frame.get("status") in FINAL]
    after = watcher.frames[ends[0] :]
    assert not positions(after)
    updates = [key(frame) for frame in watcher.frames if frame["type"] == "location_update"]
    assert len(set(updates)) == len(updates)
    return len(shown)
