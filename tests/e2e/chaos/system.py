"""The release under faults, prepared so that each of its processes can be killed, and its state of health."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from tests.e2e.cluster import HOST, get, is_ready, kubectl
from tests.e2e.scaling.fleet import Fleet

NAMESPACE: Final = "hunarmitra-e2e-chaos"
SETTINGS: Final = (
    "operator.enabled=true",
    "ws.autoscaling.enabled=true",
    "ws.autoscaling.targetConnections=350",
    "ws.autoscaling.minReplicas=2",
    "ws.autoscaling.maxReplicas=3",
)
ENVIRONMENT: Final = {"TRACKING_MIN_INTERVAL": "4"}
DEPLOYMENTS: Final = ("http", "ws", "relay", "operator")
SERVERS: Final = ("postgresql", "redis")
SHARED: Final = "shareProcessNamespace"
DRILL_USER: Final = "drill"
"""A user of Redis that may end connections, as its server's own address only."""


@dataclass
class System(Fleet):
    """The release of the chaos test."""

    namespace: str = NAMESPACE
    host: str = f"chaos.{HOST}"

    def workload(self, part: str) -> str:
        return f"{'statefulset' if part in SERVERS else 'deployment'}/{self.full(part)}"

    def kubectl(self, *arguments: str, timeout: float = 120) -> str:
        return kubectl(*arguments, namespace=self.namespace, timeout=timeout)

    def prepare(self) -> None:
        """Share process namespaces, without which nobody can kill the first process, and add the user of Redis."""
        if get(self.workload("redis"), namespace=self.namespace)["spec"]["template"]["spec"].get(SHARED):
            return  # a release that was kept
        shared = {"spec": {"template": {"spec": {SHARED: True}}}}
        for part in (*DEPLOYMENTS, *SERVERS):
            self.kubectl("patch", self.workload(part), "--patch", json.dumps(shared))
        user = ("--user", DRILL_USER, "reset", "on", "nopass", "-@all", "+client", "+ping")
        path = "/spec/template/spec/containers/0/command/-"
        append = [{"op": "add", "path": path, "value": word} for word in user]
        self.kubectl("patch", self.workload("redis"), "--type=json", "--patch", json.dumps(append))
        for part in SERVERS:
            self.stateful_set_ready(part)
        self.rolled_out(*DEPLOYMENTS)

    def addresses(self, part: str) -> list[str]:
        return [pod["status"]["podIP"] for pod in self.pods(part) if pod["status"].get("podIP")]

    def sql(self, statement: str) -> str:
        """Run a statement in the database's pod; its rows as text."""
        command = ("psql", "--host=/tmp", "--username=hunarmitra", "--dbname=hunarmitra", "--no-align", "--tuples-only")
        return self.execute(f"pod/{self.full('postgresql')}-0", *command, f"--command={statement}")

    def redis(self, *command: str) -> str:
        login = ("redis-cli", "--user", DRILL_USER, "--pass", "none", "--no-auth-warning")
        return self.execute(f"pod/{self.full('redis')}-0", *login, *command)

    def ailments(self) -> list[str]:
        """Return what is not as it should be: pods that are not in service, rollouts and drains that are not over."""
        kinds = "deployments,statefulsets,pods,websocketscalers"
        selector = f"--selector=app.kubernetes.io/instance={self.name}"
        return ailments_of(get(kinds, selector, namespace=self.namespace)["items"])


def ailments_of(objects: list[dict[str, Any]]) -> list[str]:
    """Return a phrase for each object that is not well. Pods of Jobs do not count."""
    found = []
    for item in objects:
        kind, name, status = item["kind"], item["metadata"]["name"], item.get("status", {})
        if kind == "WebSocketScaler":
            found += [f"{victim['name']} is being drained" for victim in status.get("drain", {}).get("victims", ())]
        elif kind == "Pod":
            owner = item["metadata"].get("ownerReferences", [{}])[0].get("kind")
            if owner != "Job" and not is_ready(item):
                found.append(f"{name} is not in service")
        else:
            wanted = item["spec"]["replicas"]
            counts = {status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas")}
            if counts != {wanted} or status.get("observedGeneration", 0) < item["metadata"]["generation"]:
                found.append(f"{name} has not {wanted} ready pods of its newest revision")
    return found
