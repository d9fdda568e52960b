"""A process of many clients: workers who drive through bookings, and customers who watch them.

It reads one JSON object a line: first an `Order`, then faults of clients, in the end `{"do": "stop"}`. It prints a line
of figures each second. At the end it writes its report to the file of the order, and prints `{"stopped": true}`.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import httpx
from hunarmitra_realtime import Point

from tests.e2e.chaos import client_faults
from tests.e2e.chaos.watching_client import WatchingClient
from tests.e2e.chaos.writing_client import Account, Ledger, RefusedError, WritingClient

DRIVE_SECONDS: Final = (20, 60)
STOP_SECONDS: Final = 300.0
"""From the order to stop until clients that are still waiting for events are given up."""


@dataclass(frozen=True)
class Order:
    """What one process does. `address` is the ingress's, which `host` is resolved to."""

    name: str
    url: str
    host: str
    address: str
    seed: int
    watchers: int
    report: str
    workers: list[dict[str, str]]
    employer: dict[str, str]
    admin: dict[str, str]


class Clients:
    """The clients of one process."""

    def __init__(self, order: Order, http: httpx.AsyncClient) -> None:
        self._order = order
        self._ledger = Ledger()
        self._random = random.Random(order.seed)
        self._stopping = asyncio.Event()
        self._faults: set[asyncio.Task[None]] = set()
        self.watching: set[WatchingClient] = set()
        self._over: list[WatchingClient] = []
        self._rounds = 0

        def client(user: dict[str, str]) -> WritingClient:
            return WritingClient(order.url, Account(**user), http, self._ledger)

        self._employer, self._admin = client(order.employer), client(order.admin)
        self._workers = [client(user) for user in order.workers]

    # ── what they do ────────────────────────────────────────────────────────────────────────────────────────
    async def run(self) -> None:
        """Work until `stop`, and then until each booking that has begun is over at each of its clients."""
        share, more = divmod(self._order.watchers, len(self._workers))
        works = [
            asyncio.create_task(self._work(number, worker, share + (number < more)))
            for number, worker in enumerate(self._workers)
        ]
        await self._stopping.wait()
        done, late = await asyncio.wait(works, timeout=STOP_SECONDS)
        for work in [*late, *self._faults]:
            work.cancel()
        await asyncio.gather(*late, *self._faults, return_exceptions=True)
        for work in done:
            work.result()
        await asyncio.to_thread(Path(self._order.report).write_text, json.dumps(self._report()))

    async def _work(self, number: int, worker: WritingClient, watchers: int) -> None:
        generator = random.Random(self._order.seed * 1000 + number)
        await asyncio.sleep(generator.uniform(0, DRIVE_SECONDS[0]))
        turn = 0
        while not self._stopping.is_set():
            turn += 1
            names = [f"{self._order.name}-{number}-{client}/{turn}" for client in range(watchers)]
            try:
                await self._round(worker, generator, names)
            except RefusedError:
                await asyncio.sleep(1)

    async def _round(self, worker: WritingClient, generator: random.Random, names: list[str]) -> None:
        """One booking, from its creation until all its clients have seen its end."""
        where = generator.uniform(28.5, 28.7), generator.uniform(77.1, 77.3)
        body = {
            "service": "plumbing",
            "address": "12 Connaught Place, New Delhi",
            "lat": round(where[0], 6),
            "lng": round(where[1], 6),
            "preferred_time": "2030-01-03T11:00:00Z",
        }
        made = await self._employer.write("POST", "bookings/", body, key=str(uuid.uuid4()))
        booking = str(made["id"])
        clients = [WatchingClient(self._order.url, self._employer.token, name, booking) for name in names]
        self.watching.update(clients)
        watching = [asyncio.create_task(client.run()) for client in clients]
        try:
            await self._admin.write("POST", f"bookings/{booking}/assign/", {"worker_id": worker.id})
            status = f"bookings/{booking}/status/"
            await worker.write("PATCH", status, {"status": "on_the_way"})
            seconds = generator.uniform(*DRIVE_SECONDS)
            start = Point(where[0] + 0.02, where[1] - 0.02, 0.0)
            await worker.drive(booking, [start, Point(where[0], where[1], seconds)])
            await worker.write("PATCH", status, {"status": "arrived"})
            await worker.write("PATCH", status, {"status": "completed"})
            await asyncio.gather(*watching)
            self._rounds += 1
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            self.watching.difference_update(clients)
            self._over += clients

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────
    def obey(self, order: dict[str, Any]) -> None:
        if order["do"] == "stop":
            self._stopping.set()
            return
        generator = random.Random(order["choice"])
        victims = client_faults.some(self.watching, generator)
        if order["do"] == "half-dead":
            client_faults.half_dead(victims)
        elif order["do"] == "lost network":
            client_faults.lost_network(victims)
        elif order["do"] == "slow":
            self._start(client_faults.slow(victims, order["seconds"]))
        elif order["do"] == "skew":
            self._start(self._skew(generator, order["seconds"]))
        else:
            raise ValueError(f"unknown order: {order}")

    async def _skew(self, generator: random.Random, seconds: float) -> None:
        with client_faults.skewed(generator):
            client_faults.lost_network(client_faults.some(self.watching, generator))  # they join with the wrong clock
            await asyncio.sleep(seconds)

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._faults.add(task)
        task.add_done_callback(self._faults.discard)

    # ── figures ─────────────────────────────────────────────────────────────────────────────────────────────
    def figures(self) -> dict[str, int]:
        return {
            "watching": len(self.watching),
            "live": sum(client.is_live and not client.is_deaf for client in self.watching),
            "rounds": self._rounds,
            "acknowledged": len(self._ledger.acknowledged),
            "locations": self._ledger.locations,
        }

    def _report(self) -> dict[str, Any]:
        ledger = self._ledger
        return {
            "watched": [client.report.as_json() for client in [*self._over, *self.watching]],
            "acknowledged": ledger.acknowledged,
            "answers": ledger.answers,
            "refused": ledger.refused,
            "locations": ledger.locations,
        }


@contextmanager
def resolved(host: str, address: str) -> Iterator[None]:
    """Resolve the release's name to the ingress, in this process."""
    genuine, ours = socket.getaddrinfo, (host, host.encode())

    def resolve(name: Any, *arguments: Any, **options: Any) -> Any:
        return genuine(address if name in ours else name, *arguments, **options)

    with patch.object(socket, "getaddrinfo", resolve):
        yield


def say(**values: Any) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


async def main() -> None:
    order = Order(**json.loads(sys.stdin.readline()))
    limits = httpx.Limits(max_connections=2 * len(order.workers) + 20, max_keepalive_connections=20)
    async with AsyncExitStack() as stack:
        stack.enter_context(resolved(order.host, order.address))
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, limits=limits))
        clients = Clients(order, http)
        running = asyncio.create_task(clients.run())

        async def listen() -> None:
            while line := await asyncio.to_thread(sys.stdin.readline):
                clients.obey(json.loads(line))
            running.cancel()  # the test is gone

        listening = asyncio.create_task(listen())
        while not running.done():
            say(**clients.figures())
            await asyncio.wait([running], timeout=1)
        running.result()
        say(stopped=True)
        listening.cancel()


if __name__ == "__main__":
    asyncio.run(main())
