"""Clients that resume as the contract says, and REST requests that never try twice."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

import httpx
from websockets.exceptions import InvalidHandshake

from tests.support.api import Api
from tests.support.eventually import eventually, eventually_async
from tests.support.sockets import Socket

DO_NOT_RETURN = {4001, 4003, 4004}


class Watcher:
    """Watches one booking, and comes back with `since` whenever it is disconnected: what a phone does.

    With `ping_seconds` it asks that often whether the server is there, and gives a connection up that stays silent
    for as long again: that, and nothing else, tells of a peer that lost its power.
    """

    def __init__(self, url: str, token: str, *, ping_seconds: float | None = None) -> None:
        self._url = url
        self._token = token
        self._ping_seconds = ping_seconds
        self._random = random.Random()
        self.seqs: list[int] = []
        self.codes: Counter[int | str] = Counter()
        self.moved_at: list[float] = []
        """When the server asked it to reconnect (`time.monotonic`)."""
        self.connects = 0
        self.socket: Socket | None = None
        self.gave_up: object = None

    async def run(self) -> None:
        failures = 0
        while True:
            try:
                since = self.seqs[-1] if self.seqs else 0
                socket = await Socket.connect(self._url, token=self._token, how="subprotocol", since=since, timeout=10)
            except (OSError, TimeoutError, InvalidHandshake) as error:
                failures += 1
                self.codes[type(error).__name__] += 1
                await asyncio.sleep(self._random.uniform(0, min(30, 2**failures)) if failures > 1 else 0.2)
                continue
            code, after_ms = await self._listen(socket)
            self.codes[code] += 1
            if code in DO_NOT_RETURN:
                self.gave_up = code, socket.frames[-1:]
                return
            failures = 0 if socket.frames else failures + 1
            await asyncio.sleep(after_ms / 1000 if after_ms else self._random.uniform(0, 1))

    async def _listen(self, socket: Socket) -> tuple[int | str, int]:
        self.socket, after_ms = socket, 0
        try:
            while await self._hears(socket):
                frame = await socket.next_frame()
                if frame["type"] == "connection_established":
                    self.connects += 1
                elif frame["type"] == "booking_status":
                    self.seqs.append(frame["seq"])
                elif frame["type"] == "reconnect":
                    self.moved_at.append(time.monotonic())
                    after_ms = frame["after_ms"]
            return (await socket.closed())[0] if not socket.is_open else "silent", after_ms
        finally:
            self.socket = None
            with contextlib.suppress(Exception):
                await socket.drop()

    async def _hears(self, socket: Socket) -> bool:
        """Wait for a frame. False when none will come, or none came although it was asked for."""
        if self._ping_seconds is None:
            return await socket.news()
        for asked in (False, True):
            try:
                async with asyncio.timeout(self._ping_seconds):
                    return await socket.news()
            except TimeoutError:
                if asked:
                    return False
            with contextlib.suppress(Exception):
                await socket.send({"type": "ping"})
        return False


class Crowd:
    """Watchers spread over bookings, connected `per_second`; leaving the block ends them."""

    def __init__(
        self,
        url_of: Callable[[str], str],
        token: str,
        bookings: list[str],
        size: int,
        *,
        per_second: float = 100,
        ping_seconds: float | None = None,
    ) -> None:
        self.watchers = {
            booking: [Watcher(url_of(booking), token, ping_seconds=ping_seconds) for _ in range(size // len(bookings))]
            for booking in bookings
        }
        self._pause = 1 / per_second
        self._tasks: dict[Watcher, asyncio.Task[None]] = {}

    @property
    def all(self) -> list[Watcher]:
        return [watcher for group in self.watchers.values() for watcher in group]

    async def __aenter__(self) -> Self:
        begun = time.monotonic()
        # One of each booking after another, so that those who come first and last are spread over all of them.
        for number, watcher in enumerate(itertools.chain(*zip(*self.watchers.values(), strict=True))):
            await asyncio.sleep(max(0.0, begun + number * self._pause - time.monotonic()))
            self._tasks[watcher] = asyncio.create_task(watcher.run())
        await eventually_async(lambda: all(watcher.connects for watcher in self.all), 120, "every watcher joined", 0.1)
        return self

    async def leave(self, count: int) -> list[Watcher]:
        """That many go for good, chosen at random; those who stay."""
        leaving = random.sample(self.all, count)
        for watcher in leaving:
            self._tasks[watcher].cancel()
        await asyncio.gather(*(self._tasks.pop(watcher) for watcher in leaving), return_exceptions=True)
        self.watchers = {
            booking: [watcher for watcher in group if watcher in self._tasks]
            for booking, group in self.watchers.items()
        }
        return self.all

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def complete(self, last_seqs: dict[str, int], timeout: float = 60) -> float:
        """Wait until everybody has every event; the seconds that took. Fails on a loss, a repetition or disorder."""
        begun = time.monotonic()

        def behind() -> list[tuple[int, int]]:
            return [
                (watcher.seqs[-1] if watcher.seqs else 0, last)
                for booking, last in last_seqs.items()
                for watcher in self.watchers[booking]
                if not watcher.seqs or watcher.seqs[-1] < last
            ]

        await eventually_async(lambda: not behind(), timeout, f"every event at every watcher ({self.codes()})", 0.1)
        for booking, last in last_seqs.items():
            for watcher in self.watchers[booking]:
                assert watcher.gave_up is None, watcher.gave_up
                assert watcher.seqs == list(range(1, last + 1)), watcher.seqs
        return time.monotonic() - begun

    def codes(self) -> Counter[int | str]:
        """Why connections ended, of all watchers."""
        return sum((watcher.codes for watcher in self.all), Counter())


class Traffic:
    """Status events at a steady pace: bookings are handed from worker to worker over REST.

    Each request has a connection of its own and is made once; whatever is not a 200 is a failure.
    """

    def __init__(self, admin: Api, workers: list[str], bookings: list[str], per_second: float) -> None:
        self._admin = admin
        self._workers = workers
        self._bookings = bookings
        self._pause = 1 / per_second
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic")
        self.failures: list[str] = []
        self.requests = 0
        self.slowest = 0.0
        self.statuses: Counter[int] = Counter()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(90)

    def wait_requests(self, count: int) -> None:
        """Until that many more have been made and answered."""
        target = self.requests + count
        eventually(lambda: self.requests > target, 180, f"{count} requests", 0.1)

    def last_seqs(self) -> dict[str, int]:
        return {booking: self._admin.booking(booking)["seq"] for booking in self._bookings}

    def _run(self) -> None:
        turn = 0
        while not self._stop.wait(self._pause):
            booking = self._bookings[turn % len(self._bookings)]
            worker = self._workers[(turn // len(self._bookings)) % len(self._workers)]
            turn += 1
            self._request(booking, worker)

    def _request(self, booking: str, worker: str) -> None:
        begun = time.monotonic()
        self.requests += 1
        try:
            answer = self._admin.send(
                "POST",
                f"bookings/{booking}/assign/",
                {"worker_id": worker},
                headers={"Connection": "close"},
                timeout=15,
            )
        except httpx.HTTPError as error:
            self.failures.append(f"{type(error).__name__}: {error}")
            return
        self.slowest = max(self.slowest, time.monotonic() - begun)
        self.statuses[answer.status_code] += 1
        if answer.status_code != 200:
            self.failures.append(f"{answer.status_code} {answer.text[:200]}")
