"""Small client of the API server, with deadlines and metrics.

Credentials come from where kopf finds them: the service account, else a kubeconfig. A service account's token is
replaced every hour, so credentials are read again after a 401 and every few minutes.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from hunarmitra_operator import metrics

Json = dict[str, Any]

GROUP = "realtime.hunarmitra.io"
VERSION = "v1alpha1"
PLURAL = "websocketscalers"
RELOGIN_SECONDS = 300.0
AGENT = "hunarmitra-operator"
"""Name of the operator in the API server's audit log (User-Agent) and in managed fields (field manager)."""
TIMEOUT_SECONDS = 5.0
"""Deadline of a request.

The API server answers in milliseconds, or within a few seconds under load. A server that accepts a connection and does
not answer must not hold the operator for longer than a third of the shortest drain lease, 15 s.
"""


class ApiError(Exception):
    """The API server returned an error, or did not answer (`status` 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status or 'no answer'}: {message}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Access:
    """Address of the API server, and credentials."""

    server: str
    headers: Mapping[str, str]
    tls: ssl.SSLContext | bool = True


class Api:
    """One HTTP session with the API server.

    `login` may read files, so it runs in a thread. While `may_write` returns false, a write fails as if the API server
    did not answer.
    """

    def __init__(
        self,
        login: Callable[[], Access],
        timeout: float = TIMEOUT_SECONDS,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._login = login
        self._may_write = may_write
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None
        self._access: Access | None = None
        self._since = 0.0

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, path: str, resource: str, **query: str) -> Json:
        """Return one object or list."""
        return await self._call("GET", path, resource, query=query)

    async def put(self, path: str, resource: str, body: Json) -> Json:
        """Replace an object; 409 if it changed since its resourceVersion was read."""
        return await self._call("PUT", path, resource, body=body)

    async def post(self, path: str, resource: str, body: Json) -> Json:
        """Create an object."""
        return await self._call("POST", path, resource, body=body)

    async def merge(self, path: str, resource: str, body: Json) -> Json:
        """Patch an object (JSON merge patch)."""
        return await self._call("PATCH", path, resource, body=body)

    async def _call(
        self,
        verb: str,
        path: str,
        resource: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
    ) -> Json:
        if verb != "GET" and not self._may_write():
            raise ApiError(0, "the lease was not renewed in time, and another replica may lead")
        for attempt in (1, 2):
            status, text = await self._once(verb, path, resource, query or {}, body)
            if status == 401 and attempt == 1:
                self._since = 0.0
                continue
            if status >= 400 or status == 0:
                raise ApiError(status, _message(text))
            return _object(status, text)
        raise AssertionError("unreachable")

    async def _once(
        self, verb: str, path: str, resource: str, query: Mapping[str, str], body: Json | None
    ) -> tuple[int, str]:
        status, text = 0, ""
        try:
            access, session = await self._ready()
            headers = dict(access.headers)
            params = dict(query)
            if verb != "GET":
                params["fieldManager"] = AGENT
            if verb == "PATCH":
                headers["Content-Type"] = "application/merge-patch+json"
            async with session.request(
                verb, access.server + path, params=params, json=body, headers=headers, ssl=access.tls
            ) as response:
                status, text = response.status, await response.text()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            status, text = 0, f"{type(error).__name__} {error}".strip()
        metrics.api_requests.labels(verb, resource, str(status)).inc()
        return status, text

    async def _ready(self) -> tuple[Access, aiohttp.ClientSession]:
        now = time.monotonic()
        if self._access is None or self._since == 0.0 or now - self._since > RELOGIN_SECONDS:
            self._access = await asyncio.to_thread(self._login)
            self._since = now
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, headers={"User-Agent": AGENT})
        return self._access, self._session


def _object(status: int, text: str) -> Json:
    """Return the JSON object of an answer. Anything else comes from a proxy in between and counts as no answer."""
    try:
        loaded = json.loads(text)
    except ValueError:
        loaded = None
    if not isinstance(loaded, dict):
        raise ApiError(0, f"{status}, but no object: {text[:300]}")
    return loaded


def _message(text: str) -> str:
    """Return the message of the server's Status object, or the text itself."""
    try:
        loaded = json.loads(text)
    except ValueError:
        return text[:300]
    return str(loaded.get("message", text[:300])) if isinstance(loaded, dict) else text[:300]


# ── paths
# ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def scalers(namespace: str) -> str:
    """Path of the WebSocketScalers of a namespace, or of all namespaces if it is empty."""
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{where}/{PLURAL}"


def scaler(namespace: str, name: str) -> str:
    """Path of one WebSocketScaler."""
    return f"{scalers(namespace)}/{name}"


RESOURCES = {"Deployment": "deployments", "StatefulSet": "statefulsets", "Rollout": "rollouts"}
"""Resource of each kind of target."""
GROUPS = {"Deployment": "apps/v1", "StatefulSet": "apps/v1", "Rollout": "argoproj.io/v1alpha1"}
"""Group and version of each kind of target."""


def workload(kind: str, namespace: str, name: str) -> str:
    """Path of one target."""
    return f"/apis/{GROUPS[kind]}/namespaces/{namespace}/{RESOURCES[kind]}/{name}"


def replica_sets(namespace: str) -> str:
    """Path of the ReplicaSets of a namespace."""
    return f"/apis/apps/v1/namespaces/{namespace}/replicasets"


def pods(namespace: str) -> str:
    """Path of the pods of a namespace."""
    return f"/api/v1/namespaces/{namespace}/pods"


def pod(namespace: str, name: str) -> str:
    """Path of one pod."""
    return f"{pods(namespace)}/{name}"


def horizontal_pod_autoscalers(namespace: str) -> str:
    """Path of the HorizontalPodAutoscalers of a namespace."""
    return f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"


def scaled_objects(namespace: str) -> str:
    """Path of KEDA's ScaledObjects of a namespace."""
    return f"/apis/keda.sh/v1alpha1/namespaces/{namespace}/scaledobjects"


def leases(namespace: str) -> str:
    """Path of the Leases of a namespace."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def lease(namespace: str, name: str) -> str:
    """Path of one Lease."""
    return f"{leases(namespace)}/{name}"


def events(namespace: str) -> str:
    """Path of the Events of a namespace."""
    return f"/api/v1/namespaces/{namespace}/events"
