"""A release whose ws pods the operator scales, and what the tests ask of it and do to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.e2e import in_pods
from tests.e2e.cluster import HOST, Release, get, is_ready, kubectl
from tests.support.eventually import eventually

NAMESPACE = "hunarmitra-e2e-scaling"
TARGET, CAP, LEAST, MOST = 100, 290, 2, 8
WINDOW = 12
"""Seconds over which a pod moves its clients away."""
LEASE = 20
"""Seconds for which a pod stays drained when the operator does not renew it."""
STABILIZATION = 30
SETTINGS = (
    "operator.enabled=true",
    "ws.autoscaling.enabled=true",
    f"ws.autoscaling.targetConnections={TARGET}",
    f"ws.options.maxConnections={CAP}",
    f"ws.autoscaling.minReplicas={LEAST}",
    f"ws.autoscaling.maxReplicas={MOST}",
    f"ws.options.drainWindowSeconds={WINDOW}",
    f"ws.autoscaling.spec.drain.leaseSeconds={LEASE}",
    "ws.autoscaling.spec.drain.windowSeconds=30",
    f"ws.autoscaling.spec.scaleDown.stabilizationWindowSeconds={STABILIZATION}",
    "ws.autoscaling.spec.pods.maxSampleAgeSeconds=15",
)


@dataclass
class Fleet(Release):
    """The ws pods of one release and their WebSocketScaler."""

    namespace: str = NAMESPACE
    host: str = f"scaling.{HOST}"
    seen: set[str] = field(default_factory=set)
    """Names of the Events that were there when `forget_events` was called."""

    @property
    def scaler_name(self) -> str:
        return f"websocketscaler/{self.full('ws')}"

    @property
    def deployment(self) -> str:
        return f"deployment/{self.full('ws')}"

    # ── what the operator says ──────────────────────────────────────────────────────────────────────────────
    def scaler(self) -> Any:
        return get(self.scaler_name, namespace=self.namespace)

    def status(self) -> dict[str, Any]:
        return dict(self.scaler().get("status", {}))

    def condition(self, kind: str) -> bool:
        found = {item["type"]: item["status"] for item in self.status().get("conditions", ())}
        return found.get(kind) == "True"

    def victims(self) -> list[str]:
        """The pods that are being drained, by name."""
        return [victim["name"] for victim in self.status().get("drain", {}).get("victims", ())]

    def events(self) -> set[str]:
        """The reasons of the Events since `forget_events`."""
        return {item["reason"] for item in self._events() if item["metadata"]["name"] not in self.seen}

    def forget_events(self) -> None:
        self.seen = {item["metadata"]["name"] for item in self._events()}

    def _events(self) -> list[Any]:
        selector = "--field-selector=involvedObject.kind=WebSocketScaler"
        return list(get("events", selector, namespace=self.namespace)["items"])

    def turned(self) -> Callable[[], bool]:
        """Whether the operator has decided again, with the spec as it is now, since this was called."""
        found = self.scaler()
        generation, before = found["metadata"]["generation"], found["status"]["lastDecisionTime"]

        def later() -> bool:
            status = self.status()
            return bool(status["observedGeneration"] >= generation and status["lastDecisionTime"] > before)

        return later

    def leader(self) -> str:
        """The name of the operator's pod that holds the Lease."""
        lease = get(f"lease/{self.full('operator')}", namespace=self.namespace)
        return str(lease["spec"].get("holderIdentity") or "")

    # ── what there is ───────────────────────────────────────────────────────────────────────────────────────
    def replicas(self) -> int:
        return int(get(self.deployment, namespace=self.namespace)["spec"]["replicas"])

    def living(self) -> list[dict[str, Any]]:
        """The ws pods that are not terminating."""
        return [pod for pod in self.pods("ws") if "deletionTimestamp" not in pod["metadata"]]

    def in_service(self, count: int) -> bool:
        """Whether so many ws pods are wanted and there, and every one of them takes connections."""
        pods = self.living()
        return self.replicas() == len(pods) == count and all(map(is_ready, pods))

    def is_rolling(self) -> bool:
        """Whether pods of two revisions are there."""
        return len({pod["metadata"]["labels"]["pod-template-hash"] for pod in self.living()}) > 1

    def loads(self) -> dict[str, int]:
        """Connections of each ws pod that is not terminating, read from the pods themselves."""
        wanted = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in self.living() if is_ready(pod)}
        return dict(self.call("operator", in_pods.read_loads, addresses=wanted))

    # ── what is done to it ──────────────────────────────────────────────────────────────────────────────────
    def change(self, **spec: Any) -> None:
        """Edit the WebSocketScaler's spec."""
        patch = json.dumps({"spec": spec})
        kubectl("patch", self.scaler_name, "--type=merge", "--patch", patch, namespace=self.namespace)

    def kill_operator(self) -> None:
        [pod] = self.pods("operator")
        self.kill(pod["metadata"]["name"])

    def shrink(self) -> None:
        """Let the spare pods go, and wait until their clients are being moved."""
        self.change(minReplicas=LEAST)
        # A drain that was given up keeps another from beginning for one drain window.
        eventually(self.victims, 90, "a drain began", 0.5)

        def out_of_service() -> bool:
            victims = set(self.victims())
            left = {pod["metadata"]["name"] for pod in self.living() if not is_ready(pod)}
            return bool(victims) and victims <= left

        eventually(out_of_service, 30, "the victims left the rotation", 0.5)


async def until(predicate: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for what kubectl says without keeping the watchers from listening."""
    await asyncio.to_thread(eventually, predicate, seconds, what, 0.5)
