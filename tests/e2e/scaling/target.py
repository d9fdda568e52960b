"""A workload that is not the chart's, with pods like the chart's ws pods, and its WebSocketScaler."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.e2e.cluster import get, kubectl
from tests.e2e.scaling.fleet import Fleet

SCALABLE = {"realtime.hunarmitra.io/scalable": "true"}
TARGET = 10
"""Connections that a pod should have."""


@dataclass
class Target(Fleet):
    """The pods of one target that is not the chart's, and its WebSocketScaler of the same name."""

    target: str = "sockets"
    resource: str = "statefulset"

    @property
    def scaler_name(self) -> str:
        return f"websocketscaler/{self.target}"

    @property
    def deployment(self) -> str:
        return f"{self.resource}/{self.target}"

    def living(self) -> list[dict[str, Any]]:
        found = get("pods", "--selector", f"target={self.target}", namespace=self.namespace)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def names(self) -> set[str]:
        return {pod["metadata"]["name"] for pod in self.living()}

    def create(self, *manifests: dict[str, Any]) -> None:
        for manifest in manifests:
            kubectl("create", "--filename", "-", stdin=json.dumps(manifest), namespace=self.namespace)

    def pods_like_ws(self, kind: str, **spec: Any) -> dict[str, Any]:
        """A workload with the pods of the chart's ws Deployment, which the ws Service selects too."""
        ws = get(f"deployment/{self.full('ws')}", namespace=self.namespace)["spec"]
        labels = {"target": self.target}
        template = ws["template"]
        template["metadata"]["labels"] |= labels
        return {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": self.target, "labels": SCALABLE},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": ws["selector"]["matchLabels"] | labels},
                "template": template,
                **spec,
            },
        }

    def scaler_of(self, kind: str, target_version: str, *, version: str = "v1alpha1") -> dict[str, Any]:
        """A WebSocketScaler of such a workload, with short times."""
        return {
            "apiVersion": f"realtime.hunarmitra.io/{version}",
            "kind": "WebSocketScaler",
            "metadata": {"name": self.target},
            "spec": {
                "target": {"apiVersion": target_version, "kind": kind, "name": self.target},
                "connectionsPerPod": {"target": TARGET, "cap": 3 * TARGET},
                "minReplicas": 1,
                "maxReplicas": 4,
                "scaleDown": {"stabilizationWindowSeconds": 0},
                "drain": {"windowSeconds": 15, "leaseSeconds": 15},
                "rebalance": {"absoluteThreshold": 1, "relativeThresholdPercent": 10},
            },
        }
