"""The operator under a test's control: a loop whose turns the test takes, on a fake cluster."""

from __future__ import annotations

from pathlib import Path

from fake_cluster import FakeCluster
from fake_pod import NAMESPACE, Json

from hunarmitra_operator.kubernetes import Access, Api
from hunarmitra_operator.loop import Loop
from hunarmitra_operator.podclient import PodClient

COST = "controller.kubernetes.io/pod-deletion-cost"


def reading(cluster: FakeCluster, **changes: int) -> Json:
    """Return `spec.pods`, with changes."""
    return {"controlPort": cluster.port, "timeoutSeconds": 10, **changes}


def spec(port: int, **changes: object) -> Json:
    base: Json = {
        "target": {"name": "ws"},
        "connectionsPerPod": {"target": 100, "cap": 150},
        "minReplicas": 1,
        "maxReplicas": 10,
        "scaleDown": {"stabilizationWindowSeconds": 0},
        "drain": {"windowSeconds": 60, "leaseSeconds": 30},
        "pods": {"controlPort": port, "timeoutSeconds": 10},
    }
    return base | changes


class Operator:
    """Loop whose turns the test takes, five seconds of the cluster's time apart."""

    def __init__(self, cluster: FakeCluster, token: Path, timeout: float = 30, interval: float = 5) -> None:
        self.cluster = cluster
        api = Api(lambda: Access(cluster.url, {}), timeout)
        self.loop = Loop(api, PodClient(token), (NAMESPACE,), interval, clock=cluster.clock)

    async def turns(self, count: int = 1) -> None:
        for _ in range(count):
            await self.loop.turn()
            await self.cluster.advance(5)

    async def until(self, what: str, limit: int = 60) -> None:
        """Take turns until the status has that reason."""
        for _ in range(limit):
            await self.turns()
            if self.cluster.status.get("reason") == what:
                return
        raise AssertionError(f"never {what}: {self.cluster.status}")

    async def stop(self) -> None:
        await self.loop.stop()
        await self.loop.clients.close()
        await self.loop.api.close()


def drained(cluster: FakeCluster) -> set[str]:
    return {pod.name for pod in cluster.pods.values() if pod.leases}


async def begin(cluster: FakeCluster, operator: Operator, *loads: int, **changes: object) -> None:
    """Create a fleet that is too large, and take turns until its drain begins."""
    await cluster.run_pods(*(loads or (70, 5, 60, 10, 55)))
    cluster.create_scaler(spec(cluster.port, **changes))
    await operator.until("Draining")
