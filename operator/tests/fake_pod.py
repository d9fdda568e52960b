"""A ws pod's control port as the operator uses it, and a clock that a test sets."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Json = dict[str, Any]
NAMESPACE = "shop"
TOKEN = "let-me-in"
STARTUP = 10.0


@dataclass
class Clock:
    """Time that passes only when a test says so."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def free_port() -> int:
    """Return a free port on any loopback address."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return int(probe.getsockname()[1])


@dataclass
class StubPod:
    """A ws pod's control port, and the clients behind it."""

    name: str
    uid: str
    ip: str
    clock: Clock
    born: float
    revision: str = "rs-1"
    connections: int = 0
    metrics: dict[str, Any] = field(default_factory=dict)
    """Further numbers that it reports."""
    leases: dict[str, float] = field(default_factory=dict)
    drained: float | None = None
    hangs: bool = False
    hanging: int = 0
    """Number of requests that wait for its answer."""
    unanswered: int = 0
    """Number of requests that it got while it hung."""
    terminating: float | None = None
    annotations: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    runner: web.AppRunner | None = None
    unready: bool = False

    @property
    def started(self) -> bool:
        return self.clock() - self.born >= STARTUP

    @property
    def ready(self) -> bool:
        return self.started and not self.leases and self.terminating is None and not self.unready

    async def listen(self, port: int) -> None:
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/connections", self._connections),
                web.post("/drain", self._drain),
                web.delete("/drain", self._release),
                web.post("/shed", self._shed),
            ]
        )
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, self.ip, port, reuse_address=True).start()

    async def close(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.hangs:
            self.hanging += 1
            self.unanswered += 1
            try:
                await asyncio.sleep(3600)
            finally:
                self.hanging -= 1
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"code": "unauthenticated"}, status=401)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _connections(self, _: web.Request) -> web.Response:
        body: Json = {"total": self.connections, "kinds": {"booking": self.connections}}
        return web.json_response(body | ({"metrics": self.metrics} if self.metrics else {}))

    async def _drain(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.calls.append(("drain", body))
        if not self.leases:
            self.drained = self.clock()
        self.leases[body["id"]] = self.clock() + body["ttl_seconds"]
        return web.json_response({"state": "settling"}, status=202)

    async def _release(self, request: web.Request) -> web.Response:
        self.calls.append(("release", request.query.get("id")))
        if self.leases.pop(request.query["id"], None) is None:
            return web.json_response({"code": "not_found"}, status=404)
        return web.json_response({"state": "serving"})

    async def _shed(self, request: web.Request) -> web.Response:
        wanted = (await request.json())["connections"]
        moved = min(wanted, self.connections)
        self.calls.append(("shed", moved))
        self.connections -= moved
        return web.json_response({"moved": moved})

    def manifest(self) -> Json:
        phase = "Running" if self.clock() - self.born >= STARTUP / 2 else "Pending"
        meta: Json = {
            "name": self.name,
            "uid": self.uid,
            "namespace": NAMESPACE,
            "creationTimestamp": "2027-01-01T00:00:00Z",
            "annotations": dict(self.annotations),
            "ownerReferences": [{"kind": "ReplicaSet", "uid": self.revision, "controller": True}],
        }
        if self.terminating is not None:
            meta["deletionTimestamp"] = "2027-01-01T01:00:00Z"
        state: Json = {"running": {}} if phase == "Running" else {"waiting": {}}
        return {
            "metadata": meta,
            "status": {
                "phase": phase,
                "podIP": self.ip,
                "conditions": [{"type": "Ready", "status": "True" if self.ready else "False"}],
                "containerStatuses": [{"state": state}],
            },
        }
