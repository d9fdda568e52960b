"""A simulated cluster: pods with connections, clients that come, leave and reconnect, and a ReplicaSet.

Time advances in steps of five seconds. New connections go to any ready pod with equal chance, as with a Service, and
stay there until a client, a drain or the end of the pod closes them. The ReplicaSet removes pods in its documented
order: pending first, then not ready, then by deletion cost, then the youngest (in powers of two of their age).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from tools.simulate.traces import Trace

STEP = 5.0
PENDING_SECONDS = 10.0
STARTUP_SECONDS = 30.0
"""Seconds from the creation of a pod to its readiness; in the first ten seconds it is pending."""
PROPAGATION_SECONDS = 5.0
"""Seconds from the start of a drain to the first reconnect frame, while the endpoints remove the pod."""
TERMINATION_SECONDS = 30.0
DEFAULT_CHURN = 0.0005
"""Part of the clients that reconnects by itself each second: a session lasts half an hour on average."""


@dataclass(slots=True)
class SimPod:
    """Pod. `drained` is when its drain started, `terminated` when it was stopped."""

    uid: str
    born: float
    revision: int
    readable: bool = True
    load: int = 0
    drained: float | None = None
    terminated: float | None = None

    def pending(self, now: float) -> bool:
        """Return whether it has no running container yet."""
        return now - self.born < PENDING_SECONDS

    def started(self, now: float) -> bool:
        """Return whether its server is up."""
        return now - self.born >= STARTUP_SECONDS

    def ready(self, now: float) -> bool:
        """Return whether it accepts connections."""
        return self.started(now) and self.drained is None and self.terminated is None


@dataclass(slots=True)
class Tally:
    """Totals of a run."""

    overload_seconds: float = 0.0
    pod_seconds: float = 0.0
    cut: int = 0
    """Connections closed on a pod that was scaled away without a drain."""
    moved: int = 0
    """Connections that the autoscaler asked to reconnect."""
    moved_twice: int = 0
    """Those of them that landed on another victim of the same drain."""


@dataclass(slots=True)
class World:
    """The cluster. An autoscaler reads `pods` and `replicas` and calls `scale`, `drain` and `move`."""

    trace: Trace
    cap: int
    window: float
    replicas: int
    rng: random.Random
    now: float = 0.0
    pods: list[SimPod] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    reconnecting: int = 0
    from_drain: int = 0
    unreadable: float = 0.0
    churn: float = DEFAULT_CHURN
    revision: int = 0
    born: int = 0

    def begin(self) -> None:
        """Create the pods of the first moment, with the trace's first load spread over them."""
        for _ in range(self.replicas):
            self._create().born = -3600.0
        self._place(self.trace.at(0.0))

    # ── what an autoscaler may do
    # ────────────────────────────────────────────────────────────────────────────────
    def scale(self, replicas: int) -> None:
        """Set the number of replicas."""
        self.replicas = replicas

    def drain(self, uids: set[str]) -> None:
        """Drain these pods, and return every other drained pod to service."""
        for pod in self.pods:
            if pod.uid not in uids:
                pod.drained = None
            elif pod.drained is None:
                pod.drained = self.now

    def move(self, uid: str, connections: int) -> None:
        """Ask that many clients of a pod to reconnect."""
        pod = next((pod for pod in self.pods if pod.uid == uid), None)
        if pod is not None:
            leaving = min(connections, pod.load)
            pod.load -= leaving
            self.reconnecting += leaving
            self.tally.moved += leaving

    # ── time
    # ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def step(self) -> None:
        """Advance time by one step."""
        self.now += STEP
        for event in self.trace.events:
            if self.now - STEP < event.at <= self.now:
                self._happen(event.kind, event.value)
        self._roll_out()
        self._reconcile()
        self._drain_step()
        self.pods = [p for p in self.pods if p.terminated is None or self.now - p.terminated < TERMINATION_SECONDS]
        self._clients()
        for pod in self.pods:
            self.tally.pod_seconds += STEP
            if pod.load > self.cap:
                self.tally.overload_seconds += STEP

    def living(self) -> list[SimPod]:
        """Return the pods that were not stopped."""
        return [pod for pod in self.pods if pod.terminated is None]

    def metric(self, name: str, pod: SimPod) -> float:
        """Return what a pod reports: its part of the trace's sum is its part of the connections."""
        connections = sum(each.load for each in self.pods)
        return self.trace.metric(name, self.now) * pod.load / connections if connections else 0.0

    def _happen(self, kind: str, value: float) -> None:
        if kind == "deploy":
            self.revision += 1
        elif kind == "churn":
            self.churn = value
        else:
            self.unreadable = value
            for pod in self.pods:
                pod.readable = self.rng.random() >= value

    def _create(self) -> SimPod:
        self.born += 1
        readable = self.rng.random() >= self.unreadable
        pod = SimPod(f"pod-{self.born:04}", self.now, self.revision, readable)
        self.pods.append(pod)
        return pod

    def rolling(self) -> bool:
        """Return whether a rollout is in progress."""
        return any(pod.revision != self.revision for pod in self.living())

    def _roll_out(self) -> None:
        """Continue a rolling update, with a surge of a quarter and nothing unavailable."""
        old = [pod for pod in self.living() if pod.revision != self.revision]
        if not old:
            return
        ready = sum(pod.ready(self.now) for pod in self.living())
        for pod in sorted(old, key=lambda pod: (pod.ready(self.now), pod.uid)):
            if not pod.ready(self.now):
                self._stop(pod)
            elif ready > self.replicas:
                self._stop(pod)
                ready -= 1
        surge = self.replicas + math.ceil(self.replicas / 4)
        fresh = sum(pod.revision == self.revision for pod in self.living())
        for _ in range(min(surge - len(self.living()), self.replicas - fresh)):
            self._create()

    def _stop(self, pod: SimPod) -> int:
        """Stop a pod, whose clients reconnect; return how many there were."""
        pod.terminated = self.now
        lost, pod.load = pod.load, 0
        self.reconnecting += lost
        return lost

    def _reconcile(self) -> None:
        """Create or stop pods until there are as many as replicas."""
        if self.rolling():
            return
        living = self.living()
        for _ in range(self.replicas - len(living)):
            self._create()
        surplus = len(living) - self.replicas
        if surplus <= 0:
            return

        def order(pod: SimPod) -> tuple[bool, bool, bool, int, float]:
            age = max(1.0, self.now - pod.born)
            unmarked = pod.drained is None
            return (
                not pod.pending(self.now),
                pod.ready(self.now),
                unmarked,
                int(math.log2(age)),
                self.rng.random(),
            )

        for pod in sorted(living, key=order)[:surplus]:
            told = pod.drained is not None
            left = self._stop(pod)
            if not told:
                self.tally.cut += left

    def _drain_step(self) -> None:
        for pod in self.pods:
            if pod.drained is None or pod.terminated is not None:
                continue
            if self.now - pod.drained < PROPAGATION_SECONDS:
                continue
            # Paced, so that it ends a step before the window does.
            left = max(1.0, (pod.drained + self.window - self.now) / STEP - 1)
            leaving = min(pod.load, math.ceil(pod.load / left))
            pod.load -= leaving
            self.from_drain += leaving
            self.tally.moved += leaving

    def _clients(self) -> None:
        """Let clients leave, reconnect by themselves, and arrive."""
        connected = sum(pod.load for pod in self.pods)
        wanted = self.trace.at(self.now)
        delta = wanted - connected - self.reconnecting - self.from_drain
        bouncing = round(connected * self.churn * STEP)
        self._remove(bouncing + max(0, -delta))
        self.reconnecting += bouncing + max(0, delta)
        open_pods = [pod for pod in self.pods if pod.ready(self.now)]
        if open_pods:
            victims = [pod for pod in self.pods if pod.drained is not None and pod.terminated is None]
            before = sum(pod.load for pod in victims)
            self._place(self.from_drain)
            self.tally.moved_twice += sum(pod.load for pod in victims) - before
            self._place(self.reconnecting)
            self.reconnecting = self.from_drain = 0

    def _place(self, count: int) -> None:
        """Connect that many clients, each to a random ready pod."""
        pods = [pod for pod in self.pods if pod.ready(self.now)]
        for index, pod in enumerate(pods):
            got = self._binomial(count, 1 / (len(pods) - index))
            pod.load += got
            count -= got

    def _remove(self, count: int) -> None:
        """Disconnect that many clients, each with the same chance."""
        total = sum(pod.load for pod in self.pods)
        count = min(count, total)
        for pod in self.pods:
            if total <= 0:
                break
            load = pod.load
            gone = min(load, max(count - (total - load), self._binomial(count, load / total)))
            pod.load -= gone
            count -= gone
            total -= load

    def _binomial(self, count: int, chance: float) -> int:
        """Return how many of `count` happen; exact for few, a rounded normal for many."""
        if chance >= 1 or count <= 0:
            return count
        if count <= 12:
            return sum(self.rng.random() < chance for _ in range(count))
        drawn = round(self.rng.gauss(count * chance, math.sqrt(count * chance * (1 - chance))))
        return min(count, max(0, drawn))
