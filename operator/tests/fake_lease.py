"""A Lease at the fake API server, and a time for its replicas that a test lets pass."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from aiohttp import web
from fake_pod import NAMESPACE, Json

from hunarmitra_operator.kubernetes import Access, Api
from hunarmitra_operator.leader import Election

NAME = "operator"


class FakeLease:
    """Serves one Lease with resource versions. `forbidden` and `away` are faults of the API server."""

    def __init__(self) -> None:
        self.lease: Json | None = None
        self.forbidden = self.away = False
        self.writes = 0
        self.managers: set[str | None] = set()
        self.url = ""
        self._versions = itertools.count(1)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        leases = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
        app.add_routes(
            [
                web.get(f"{leases}/{NAME}", self._get),
                web.put(f"{leases}/{NAME}", self._put),
                web.post(leases, self._post),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def _fault(self, request: web.Request) -> web.Response | None:
        if self.away:
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=500)
        return web.json_response({"message": "forbidden"}, status=403) if self.forbidden else None

    async def _get(self, request: web.Request) -> web.Response:
        if fault := self._fault(request):
            return fault
        return web.json_response(self.lease) if self.lease else web.json_response({"message": "none"}, status=404)

    async def _put(self, request: web.Request) -> web.Response:
        self.managers.add(request.query.get("fieldManager"))
        body = await request.json()
        if fault := self._fault(request):
            return fault
        if not self.lease or body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            return web.json_response({"message": "the object has been modified"}, status=409)
        return self._stored(body)

    async def _post(self, request: web.Request) -> web.Response:
        self.managers.add(request.query.get("fieldManager"))
        body = await request.json()
        if fault := self._fault(request):
            return fault
        return web.json_response({"message": "exists"}, status=409) if self.lease else self._stored(body)

    def _stored(self, body: Json) -> web.Response:
        assert body["kind"] == "Lease"
        assert body["metadata"]["name"] == NAME
        self.writes += 1
        body["metadata"]["resourceVersion"] = str(next(self._versions))
        self.lease = body
        return web.json_response(body)


class Replica:
    """One replica of the operator: its election, and a time of its own that `advance` moves."""

    def __init__(self, server: FakeLease, identity: str) -> None:
        self.now = 0.0
        self.api = Api(lambda: Access(server.url, {}), 30)
        self.election = Election(self.api, NAMESPACE, NAME, identity, clock=lambda: self.now, sleep=self._sleep)
        self._until: tuple[float, asyncio.Future[None]] | None = None
        self._sleeps = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        await self.election.acquire()
        await self.election.hold()

    async def _sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._until = (self.now + seconds, future)
        self._sleeps.set()
        await future

    async def settled(self) -> None:
        """Wait until it sleeps or has ended."""
        assert self.task
        asleep = asyncio.create_task(self._sleeps.wait())
        done, _ = await asyncio.wait({asleep, self.task}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
        asleep.cancel()
        assert done, "neither asleep nor ended"

    async def advance(self, seconds: float) -> None:
        """Let time pass in steps of a second, and let everything due happen."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 1)
            if self._until and self._until[0] <= self.now:
                future = self._until[1]
                self._until = None
                self._sleeps.clear()
                future.set_result(None)
            await self.settled()

    async def kill(self) -> None:
        """End it without a word, as kill -9 does."""
        assert self.task
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def close(self) -> None:
        await self.kill()
        await self.api.close()


async def advance(seconds: float, *replicas: Any) -> None:
    """Let the same time pass for several replicas, second by second."""
    for _ in range(round(seconds)):
        for replica in replicas:
            await replica.advance(1)
