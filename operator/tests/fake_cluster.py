"""Fake cluster for the operator: an API server, stub pods with a control port, and a clock.

The API server keeps objects with resource versions and rejects stale writes. `advance` plays the controllers and the
kubelet: it creates and removes pods, reports readiness, lets leases end and moves clients of drained pods.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import re
from typing import Any

from aiohttp import web
from fake_pod import NAMESPACE, Clock, Json, StubPod, free_port

SETTLE, WINDOW = 5.0, 20.0
HANGS = 3600.0


def deployment(replicas: int) -> Json:
    return {
        "metadata": {
            "name": "ws",
            "namespace": NAMESPACE,
            "uid": "deployment",
            "generation": 1,
            "labels": {"realtime.hunarmitra.io/scalable": "true"},
        },
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "ws"}}},
        "status": {"observedGeneration": 1},
    }


class FakeCluster:
    """API server and controllers.

    `away` makes the API server unreachable, `delay` makes it slow, in seconds (`HANGS`: it accepts connections and
    never answers). `requests` records every request.
    """

    def __init__(self, clock: Clock, port: int) -> None:
        self.clock, self.port = clock, port
        self.pods: dict[str, StubPod] = {}
        self.deployment = deployment(0)
        self.other = deployment(7)
        self.other["metadata"] |= {"name": "other", "uid": "other", "resourceVersion": "0"}
        self.scaler: Json | None = None
        self.second: Json | None = None
        """Another WebSocketScaler."""
        self.autoscalers: list[Json] = []
        self.events: list[Json] = []
        self.requests: list[tuple[str, str]] = []
        self.scaled: list[int] = []
        self.rejection: tuple[int, str] | None = None
        """Answer to every write of the number of replicas."""
        self.readable = {"ws", "other", "missing"}
        """The Deployments that the operator's Role names."""
        self.busy = 0
        """For how many more writes of the number of replicas the Deployment's status changes just before."""
        self.busy_scaler = 0
        """The same for the resource and writes of its status."""
        self.scale_before_write: int | None = None
        """A number that somebody else sets just before the operator's write."""
        self.delete_before_status = False
        """Whether the resource is deleted just before its status is written."""
        self.vanished: set[str] = set()
        """Names of pods that are listed and gone when they are patched."""
        self.agents: set[str | None] = set()
        self.managers: set[str | None] = set()
        self.writes: set[tuple[str, str, str]] = set()
        """Verb, resource and content type of each write."""
        self.away = False
        self.delay = 0.0
        self.revision = "rs-1"
        self.kind = "Deployment"
        """Kind of the target `ws`; other kinds have no object."""
        self.moved = 0
        self.cut = 0
        self._versions = itertools.count(1)
        self._numbers = itertools.count(2)
        self._runner: web.AppRunner | None = None
        self._bump(self.deployment)
        self.url = ""

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────
    async def start(self) -> None:
        app = web.Application(middlewares=[self._front])
        base = f"/apis/apps/v1/namespaces/{NAMESPACE}"
        scalers = "/apis/realtime.hunarmitra.io/v1alpha1"
        one = f"{scalers}/namespaces/{NAMESPACE}/websocketscalers/{{name}}"
        app.add_routes(
            [
                web.get(f"{scalers}/namespaces/{NAMESPACE}/websocketscalers", self._list_scalers),
                web.get(one, self._get_scaler),
                web.put(f"{one}/status", self._put_status),
                *self._targets(base, "deployments", "Deployment"),
                *self._targets(base, "statefulsets", "StatefulSet"),
                *self._targets(base.replace("apps/v1", "argoproj.io/v1alpha1"), "rollouts", "Rollout"),
                web.get(f"{base}/replicasets", self._list_replica_sets),
                web.get(f"/api/v1/namespaces/{NAMESPACE}/pods", self._list_pods),
                web.patch(f"/api/v1/namespaces/{NAMESPACE}/pods/{{name}}", self._patch_pod),
                web.post(f"/api/v1/namespaces/{NAMESPACE}/events", self._post_event),
                web.get(f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers", self._list_hpas),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        port = free_port()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{port}"

    def _targets(self, base: str, resource: str, kind: str) -> list[web.RouteDef]:
        async def missing(_: web.Request) -> web.Response:
            return self._error(404, "the server could not find the requested resource")

        async def get(request: web.Request) -> web.Response:
            return await (self._get_deployment if kind == self.kind else missing)(request)

        async def scale(request: web.Request) -> web.Response:
            return await (self._put_scale if kind == self.kind else missing)(request)

        return [web.get(f"{base}/{resource}/{{name}}", get), web.put(f"{base}/{resource}/ws/scale", scale)]

    async def close(self) -> None:
        await asyncio.gather(*(pod.close() for pod in self.pods.values()))
        if self._runner is not None:
            await self._runner.cleanup()

    async def run_pods(self, *connections: int) -> None:
        """Create a Deployment with a ready pod for each number of connections."""
        for amount in connections:
            pod = await self._create()
            pod.born -= 3600
            pod.connections = amount
        self.deployment["spec"]["replicas"] = len(connections)
        self._bump(self.deployment)

    def create_scaler(self, spec: Json, **status: Any) -> Json:
        self.scaler = {
            "metadata": {
                "name": "sockets",
                "namespace": NAMESPACE,
                "uid": "scaler",
                "generation": 1,
                "creationTimestamp": "2027-01-01T00:00:00Z",
            },
            "spec": spec,
            "status": status,
        }
        self._bump(self.scaler)
        return self.scaler

    def create_second(self, spec: Json) -> Json:
        """Create another WebSocketScaler, of which the loop was not told yet."""
        self.second = {
            "metadata": {
                "name": "again",
                "namespace": NAMESPACE,
                "uid": "again",
                "generation": 1,
                "creationTimestamp": "2027-01-01T00:00:01Z",
            },
            "spec": spec,
            "status": {},
        }
        self._bump(self.second)
        return self.second

    def edit(self, **spec: Any) -> None:
        assert self.scaler is not None
        self.scaler["spec"] |= spec
        self.scaler["metadata"]["generation"] += 1
        self._bump(self.scaler)

    @property
    def status(self) -> Json:
        assert self.scaler is not None
        found: Json = self.scaler["status"]
        return found

    def condition(self, kind: str, of: Json | None = None) -> str:
        conditions = (of or self.scaler or {})["status"]["conditions"]
        return str(next(c["status"] for c in conditions if c["type"] == kind))

    def pod(self, index: int) -> StubPod:
        return list(self.pods.values())[index]

    def living(self) -> list[StubPod]:
        return [pod for pod in self.pods.values() if pod.terminating is None]

    async def _create(self) -> StubPod:
        number = next(self._numbers)
        name = f"ws-{number - 2}"
        if self.kind == "StatefulSet":
            name = next(free for i in itertools.count() if (free := f"ws-{i}") not in self.pods)
        pod = StubPod(name, f"uid-{number}", f"127.1.0.{number}", self.clock, self.clock(), self.revision)
        self.pods[name] = pod
        await pod.listen(self.port)
        return pod

    def _bump(self, item: Json) -> None:
        item["metadata"]["resourceVersion"] = str(next(self._versions))

    def replace(self, names: set[str]) -> None:
        """Terminate pods as a rollout does; others replace them."""
        for name in names:
            self.pods[name].terminating = self.clock()

    # ── controllers and kubelet ─────────────────────────────────────────────────────────────────────────────
    async def advance(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now = min(end, self.clock.now + step)
            await self._step(step)

    async def _step(self, step: float) -> None:
        for pod in list(self.pods.values()):
            pod.leases = {name: until for name, until in pod.leases.items() if until > self.clock()}
            if not pod.leases:
                pod.drained = None
            if pod.terminating is not None and self.clock() - pod.terminating > 5:
                await pod.close()
                del self.pods[pod.name]
        self._move(step)
        wanted = self.deployment["spec"]["replicas"]
        self.deployment["status"]["observedGeneration"] = self.deployment["metadata"]["generation"]
        for _ in range(wanted - len(self.living())):
            await self._create()
        cost = "controller.kubernetes.io/pod-deletion-cost"
        doomed = sorted(self.living(), key=lambda p: (p.ready, int(p.annotations.get(cost, 0)), -p.born))
        if self.kind == "StatefulSet":
            doomed = sorted(self.living(), key=lambda p: -int(p.name[3:]))
            if self.deployment["spec"].get("podManagementPolicy") != "Parallel":
                doomed = self._in_order(doomed, wanted)
        for pod in doomed[: max(0, len(self.living()) - wanted)]:
            pod.terminating = self.clock()
            if cost not in pod.annotations and (self.kind != "StatefulSet" or pod.drained is None):
                self.cut += pod.connections
            self._land(pod.connections)
            pod.connections = 0

    def _in_order(self, doomed: list[StubPod], wanted: int) -> list[StubPod]:
        """Wait, as the StatefulSet controller does, while a pod other than the first unready one is unready."""
        unready = [pod for pod in reversed(doomed) if not pod.ready]
        surplus = doomed[: max(0, len(doomed) - wanted)]
        blocked = any(not pod.ready and pod is not unready[0] for pod in surplus)
        return [] if blocked else doomed

    def _move(self, step: float) -> None:
        for pod in self.living():
            if pod.drained is None or self.clock() - pod.drained < SETTLE:
                continue
            left = max(step, pod.drained + SETTLE + WINDOW - self.clock())
            leaving = -(-pod.connections * step // left)
            count = int(min(pod.connections, leaving))
            pod.connections -= count
            self.moved += count
            self._land(count)

    def _land(self, count: int) -> None:
        ready = [pod for pod in self.living() if pod.ready]
        for index in range(count):
            if ready:
                ready[index % len(ready)].connections += 1

    # ── API server ──────────────────────────────────────────────────────────────────────────────────────────
    @web.middleware
    async def _front(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.away:
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=500)
        self.requests.append((request.method, request.path))
        self.agents.add(request.headers.get("User-Agent"))
        if request.method != "GET":
            self.managers.add(request.query.get("fieldManager"))
            resource = re.sub(r".*/namespaces/[^/]+/([a-z]+)(?:/[^/]+)?(/[a-z]+)?$", r"\1\2", request.path)
            self.writes.add((request.method, resource, request.content_type))
        if self.delay:
            await asyncio.sleep(self.delay)
        answer: web.StreamResponse = await handler(request)
        return answer

    @staticmethod
    def _error(status: int, message: str) -> web.Response:
        return web.json_response({"kind": "Status", "message": message, "code": status}, status=status)

    async def _list_scalers(self, _: web.Request) -> web.Response:
        return web.json_response({"items": [item for item in (self.scaler, self.second) if item]})

    def _named(self, request: web.Request) -> Json | None:
        return self.scaler if request.match_info["name"] == "sockets" else self.second

    async def _get_scaler(self, request: web.Request) -> web.Response:
        found = self._named(request)
        return web.json_response(found) if found else self._error(404, "not found")

    async def _put_status(self, request: web.Request) -> web.Response:
        if self.delete_before_status:
            self.scaler = None
        body, found = await request.json(), self._named(request)
        if found is None:
            return self._error(404, "not found")
        if self.busy_scaler:
            self.busy_scaler -= 1
            self._bump(found)
        if body["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]:
            return self._error(409, "the object has been modified")
        found["status"] = body["status"]
        self._bump(found)
        return web.json_response(found)

    async def _get_deployment(self, request: web.Request) -> web.Response:
        if request.match_info["name"] not in self.readable:
            return self._error(403, "deployments.apps is forbidden")
        if request.match_info["name"] == "ws":
            return web.json_response(self.deployment)
        if request.match_info["name"] == "other":
            return web.json_response(self.other)
        return self._error(404, "not found")

    async def _put_scale(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.rejection:
            return self._error(*self.rejection)
        if self.scale_before_write is not None:
            self.scale(self.scale_before_write)
            self.scale_before_write = None
        if self.busy:
            self.busy -= 1
            self._bump(self.deployment)
        if body["metadata"]["resourceVersion"] != self.deployment["metadata"]["resourceVersion"]:
            return self._error(409, "the object has been modified")
        self.scale(body["spec"]["replicas"])
        self.scaled.append(body["spec"]["replicas"])
        return web.json_response(body)

    def scale(self, replicas: int) -> None:
        """Set the number of replicas as `kubectl scale` does."""
        self.deployment["spec"]["replicas"] = replicas
        self.deployment["metadata"]["generation"] += 1
        self._bump(self.deployment)

    async def _list_replica_sets(self, _: web.Request) -> web.Response:
        owner = [{"kind": self.kind, "name": "ws", "uid": "deployment", "controller": True}]
        items = [{"metadata": {"uid": uid, "ownerReferences": owner}} for uid in ("rs-1", "rs-2")]
        return web.json_response({"items": items})

    async def _list_pods(self, _: web.Request) -> web.Response:
        items = [pod.manifest() for pod in self.pods.values()]
        if self.kind == "StatefulSet":
            for item in items:
                revision = item["metadata"]["ownerReferences"][0]["uid"]
                item["metadata"]["labels"] = {"controller-revision-hash": revision}
                item["metadata"]["ownerReferences"] = [{"kind": "StatefulSet", "uid": "deployment", "controller": True}]
        return web.json_response({"items": items})

    async def _patch_pod(self, request: web.Request) -> web.Response:
        pod = self.pods.get(request.match_info["name"])
        if pod is None or pod.name in self.vanished:
            return self._error(404, "not found")
        body = await request.json()
        assert set(body) == {"metadata"}
        assert set(body["metadata"]) == {"annotations"}
        for key, value in body["metadata"]["annotations"].items():
            if value is None:
                pod.annotations.pop(key, None)
            else:
                pod.annotations[key] = value
        return web.json_response(pod.manifest())

    async def _post_event(self, request: web.Request) -> web.Response:
        self.events.append(await request.json())
        return web.json_response({}, status=201)

    async def _list_hpas(self, _: web.Request) -> web.Response:
        return web.json_response({"items": copy.deepcopy(self.autoscalers)})
