"""Carry out a decision, in an order that is safe for every client.

The caller stores the decision's history first. A failed action is tried again in the next turn, because the next
decision is made from the cluster's state.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hunarmitra_operator import claims, kubernetes, metrics
from hunarmitra_operator.kubernetes import Api, ApiError
from hunarmitra_operator.model import Decision, Drain, Move, Pod, Spec
from hunarmitra_operator.observe import DELETION_COST, LOWEST_COST, Target
from hunarmitra_operator.podclient import PodClient, PodError, together
from hunarmitra_operator.problem import Problem

logger = logging.getLogger(__name__)

PACE_SECONDS = 1.0
"""Pods move connections at once, so a round is sent in slices of this length."""


class ScaleError(Exception):
    """The API server rejected the number of replicas; `reason` is the reason of the condition."""

    def __init__(self, spec: Spec, replicas: tuple[int, int], error: ApiError) -> None:
        before, after = replicas
        hint = {
            403: f"; allow the operator to update {kubernetes.RESOURCES[spec.kind]}/scale of {spec.target}",
            409: f"; something changes the {spec.kind} all the time",
        }.get(error.status, "")
        super().__init__(f"cannot scale {spec.kind} {spec.target!r} from {before} to {after} replicas: {error}{hint}")
        self.reason = {403: "Forbidden", 409: "ScaleConflict"}.get(error.status, "ScaleRejected")
        self.status = error.status


TEMPORARY = frozenset({0, 401, 429, 502, 503, 504})
"""Statuses of an API server that is temporarily unavailable. Any other error status is about the request."""
UPWARD_ATTEMPTS = 3


@dataclass(slots=True)
class Actor:
    """Acts for one WebSocketScaler. `sleep` is replaced in tests."""

    api: Api
    clients: PodClient
    namespace: str
    name: str
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    rebalancing: asyncio.Task[None] | None = field(default=None)
    problems: dict[str, Problem] = field(default_factory=dict)
    """Problem of each kind of request."""
    conflicts: int = 0
    """Writes of the number of replicas in a row that lost against another change of the target."""
    renewed: float = float("-inf")
    """Time of the last renewal of leases, on the monotonic clock."""

    async def carry_out(self, spec: Spec, target: Target, decision: Decision, lease: str) -> None:
        """Release, drain, scale, rebalance. `lease` is the name of the drain before this decision.

        Raises `ScaleError`.
        """
        pods = {pod.uid: pod for pod in target.fleet.pods}
        if decision.drain or decision.release or decision.still or decision.scale_to is not None:
            self.stop()
        released = [pods[victim.uid] for victim in decision.release if victim.uid in pods]
        await self.release(spec, released, lease)
        kept = {victim.uid for victim in (decision.drain.victims if decision.drain else ())}
        if not any(name.startswith(claims.KIND) for name in target.fleet.autoscalers):
            # Marks on the pods of an older WebSocketScaler's target are that resource's.
            await self.unmark(pod for pod in pods.values() if pod.marked and pod.uid not in kept)
        if decision.drain is not None:
            victims = [pods[victim.uid] for victim in decision.drain.victims if victim.uid in pods]
            if target.fleet.ordinals is None:
                # Deletion costs come first: from then on any scale-down removes the victims and no other pod.
                await self._mark((pod for pod in victims if not pod.marked and not pod.terminating), LOWEST_COST)
            await self.renew(spec, decision.drain, pods)
        if decision.scale_to is not None:
            await self._scale(spec, target, decision.scale_to)
        if decision.moves:
            self.stop()
            self.rebalancing = asyncio.create_task(self._rebalance(spec, decision.moves, pods))

    def stop(self) -> None:
        """Stop moving connections."""
        if self.rebalancing is not None:
            self.rebalancing.cancel()
            self.rebalancing = None

    async def release(self, spec: Spec, pods: Iterable[Pod], lease: str) -> None:
        """Return pods to service. A pod that cannot be reached returns by itself when its lease ends."""
        living = [pod for pod in pods if not pod.terminating]
        calls = [self.clients.release(pod, spec.control, lease) for pod in living if pod.ip]
        await self._together("return to service", spec, calls)

    async def renew(self, spec: Spec, drain: Drain, pods: Mapping[str, Pod]) -> None:
        """Drain the victims, or renew their leases. Needs the pods alone, not the API server."""
        self.renewed = time.monotonic()
        victims = [pods[v.uid] for v in drain.victims if v.uid in pods and not pods[v.uid].terminating]
        calls = [self.clients.drain(pod, spec.control, drain.id, spec.lease) for pod in victims if pod.ip]
        await self._together("drain", spec, calls)

    async def _together(self, what: str, spec: Spec, calls: Sequence[Coroutine[Any, Any, None]]) -> None:
        """Send requests to many pods.

        What is not done by the common deadline is left to the next turn, so that hanging pods delay neither the
        deletion costs nor the number of replicas.
        """
        limit = together(spec.control)
        try:
            async with asyncio.timeout(limit):
                results = await asyncio.gather(*calls, return_exceptions=True)
        except TimeoutError:
            text = f"{self.namespace}/{self.name}: cannot {what} all of {len(calls)} pods within {limit:g} s"
            self._problem(what).log("", text)
        else:
            self._report(what, results)

    async def unmark(self, pods: Iterable[Pod]) -> None:
        """Remove the deletion cost from pods that are not victims any more."""
        await self._mark((pod for pod in pods if not pod.terminating), None)

    async def _mark(self, pods: Iterable[Pod], cost: str | None) -> None:
        """Write or remove the deletion cost, only when a pod becomes a victim or stops being one."""
        body = {"metadata": {"annotations": {DELETION_COST: cost}}}
        results = await asyncio.gather(
            *(self.api.merge(kubernetes.pod(self.namespace, pod.name), "pods", body) for pod in pods),
            return_exceptions=True,
        )
        self._report("mark", results)

    async def _scale(self, spec: Spec, target: Target, replicas: int) -> None:
        """Write the number of replicas, unless the target changed since it was read.

        Scaling up continues although the target changed, because its status changes often during a rollout of many
        pods. Scaling down waits for the next turn, because a pod may have changed.
        """
        version = target.resource_version
        attempts = UPWARD_ATTEMPTS if replicas > target.fleet.replicas else 1
        for attempt in range(1, attempts + 1):
            try:
                await self._put_scale(spec, replicas, version)
            except ApiError as error:
                if error.status == 409 and attempt < attempts:
                    version = await self._unchanged(spec, target)
                    if version:
                        continue
                self._rejected(spec, (target.fleet.replicas, replicas), error)
            else:
                self.conflicts = 0
            return

    async def _put_scale(self, spec: Spec, replicas: int, version: str) -> None:
        path = f"{kubernetes.workload(spec.kind, self.namespace, spec.target)}/scale"
        body = {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {"name": spec.target, "namespace": self.namespace, "resourceVersion": version},
            "spec": {"replicas": replicas},
        }
        await self.api.put(path, f"{kubernetes.RESOURCES[spec.kind]}/scale", body)

    async def _unchanged(self, spec: Spec, target: Target) -> str:
        """Return the target's version now, or an empty string if somebody changed the number of replicas."""
        try:
            path = kubernetes.workload(spec.kind, self.namespace, spec.target)
            found = await self.api.get(path, kubernetes.RESOURCES[spec.kind])
        except ApiError as error:
            if error.status == 404:
                return ""
            raise
        same = int(found["spec"].get("replicas", 1)) == target.fleet.replicas
        return str(found["metadata"]["resourceVersion"]) if same else ""

    def _rejected(self, spec: Spec, replicas: tuple[int, int], error: ApiError) -> None:
        """Raise any rejection, but a conflict only if the write of the next turn also conflicts."""
        if error.status in TEMPORARY:
            raise error
        if error.status == 404:
            return  # the target is gone, as the next turn finds out
        if error.status == 409:
            self.conflicts += 1
            if self.conflicts == 1:
                logger.info("%s/%s: the target changed since it was read", self.namespace, self.name)
                return
        raise ScaleError(spec, replicas, error) from error

    async def _rebalance(self, spec: Spec, moves: Iterable[Move], pods: Mapping[str, Pod]) -> None:
        """Run one round of rebalancing, in slices within the reconnect budget."""
        left = {move.uid: move.connections for move in moves if move.uid in pods}
        slice_size = max(1, round(spec.reconnects_per_second * PACE_SECONDS))
        while left:
            moved = 0
            for uid in list(left):
                amount = min(left[uid], slice_size - moved)
                if amount <= 0:
                    break
                moved += amount
                left[uid] -= amount
                try:
                    done = await self.clients.move(pods[uid], spec.control, amount)
                except PodError as error:
                    logger.warning("%s/%s: cannot move connections: %s", self.namespace, self.name, error)
                    done = 0
                metrics.rebalanced.labels(self.namespace, self.name).inc(done)
                # A pod that moves fewer than asked has no other connection that may move now.
                if done < amount or left[uid] <= 0:
                    del left[uid]
            if left:
                await self.sleep(PACE_SECONDS)

    def _report(self, what: str, results: Iterable[object]) -> None:
        """Log failures of pods and of the API server, which are expected. Raise any other exception: it is a defect."""
        problem, asked, failed = self._problem(what), 0, 0
        for result in results:
            asked += 1
            if isinstance(result, ApiError) and result.status == 404:
                continue  # the pod is gone
            if isinstance(result, (PodError, ApiError)):
                failed += 1
                problem.log(str(result), f"{self.namespace}/{self.name}: cannot {what}: {result}")
            elif isinstance(result, BaseException):
                raise result
        if asked and not failed:
            problem.resolved(f"{self.namespace}/{self.name}: can {what} again")

    def _problem(self, what: str) -> Problem:
        return self.problems.setdefault(what, Problem(logger))
