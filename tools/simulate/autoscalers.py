"""The three autoscalers that are compared, on the same simulated cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from hunarmitra_operator import hpa
from hunarmitra_operator.curve import PredictionMode, record
from hunarmitra_operator.decide import decide
from hunarmitra_operator.hpa import Bounds, HorizontalPodAutoscaler, MetricPod
from hunarmitra_operator.model import Decision, Fleet, History, Pod, Sample, Spec
from tools.simulate.traces import Trace
from tools.simulate.world import SimPod, World

EPOCH = 1_800_000_000.0
HPA_PERIOD = 15.0
WEEK = 7 * 86400
LEARN_SECONDS = 60
PRECISION = 1000
"""HPA and KEDA count metrics in thousandths."""
EXTRA_REPLICAS = 8
"""`maxExtraReplicas` of a spec without a prediction: twice the default, as the traces grow fast."""


class Autoscaler(Protocol):
    """Looks at the cluster after each step and may change it."""

    name: str

    def act(self, world: World) -> None:
        """Look at the cluster, and act."""


class Ours:
    """The operator's decision, carried out at once, every five seconds like the operator's turns."""

    name = "WebSocketScaler"

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.history = History()
        self.samples: dict[str, Sample] = {}
        self.decisions: list[Decision] = []

    def act(self, world: World) -> None:
        """Take one turn of the operator."""
        now = EPOCH + world.now
        living = {pod.uid for pod in world.pods}
        self.samples = {uid: sample for uid, sample in self.samples.items() if uid in living}
        for pod in world.pods:
            if pod.readable and pod.started(world.now):
                further = {metric.name: world.metric(metric.name, pod) for metric in self.spec.metrics}
                self.samples[pod.uid] = Sample(pod.load, now, further)
        fleet = Fleet(
            world.replicas,
            tuple(
                Pod(
                    pod.uid,
                    pod.uid,
                    ready=pod.ready(world.now),
                    pending=pod.pending(world.now),
                    terminating=pod.terminated is not None,
                )
                for pod in world.pods
            ),
            "two revisions have pods" if world.rolling() else "",
        )
        decision = decide(self.spec, fleet, self.samples, self.history, now)
        self.history = decision.history
        if not self.decisions or decision.reason is not self.decisions[-1].reason:
            self.decisions.append(decision)
        world.drain({victim.uid for victim in (decision.drain.victims if decision.drain else ())})
        for move in decision.moves:
            world.move(move.uid, move.connections)
        if decision.scale_to is not None:
            world.scale(decision.scale_to)


class Predicting(Ours):
    """The operator with `spec.prediction`, which observed `last_week` a week earlier."""

    name = "with prediction"

    def __init__(self, spec: Spec, last_week: Trace) -> None:
        rules = spec.prediction
        if rules.mode is PredictionMode.OFF:
            rules = replace(rules, max_extra=EXTRA_REPLICAS)
        super().__init__(replace(spec, prediction=replace(rules, mode=PredictionMode.APPLY)))
        zone, learned = self.spec.prediction.zone, None
        for seconds in range(0, int(min(last_week.end, WEEK)), LEARN_SECONDS):
            learned = record(learned, zone, EPOCH - WEEK + seconds, last_week.at(seconds))
        self.history = History(curve=learned)


class _Hpa:
    """HorizontalPodAutoscaler with the spec's behavior, every 15 s. Its metrics are fresher than in a real cluster.

    It has the metrics of the spec too; the largest recommendation counts.
    """

    name = "HPA"

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.controller = HorizontalPodAutoscaler(Bounds(spec.min_replicas, spec.max_replicas), spec.up, spec.down)

    def act(self, world: World) -> None:
        """Synchronize if the period has passed."""
        if world.now % HPA_PERIOD == 0:
            world.scale(self.controller.sync(world.replicas, self.recommend(world), EPOCH + world.now))

    def recommend(self, world: World) -> int | None:
        """Return the replicas for connections and further metrics, or None."""
        asked = [self.ask(world, self.spec.target_per_pod, lambda pod: pod.load)]
        for metric in self.spec.metrics:

            def value(pod: SimPod, name: str = metric.name) -> int:
                return round(PRECISION * world.metric(name, pod))

            asked.append(self.ask(world, PRECISION * metric.target, value))
        return max((replicas for replicas in asked if replicas is not None), default=None)

    def ask(self, world: World, target: int, value: Callable[[SimPod], int]) -> int | None:
        """Return the replicas for one metric, or None."""
        raise NotImplementedError


class Hpa(_Hpa):
    """HPA on a number of each pod (a `Pods` metric)."""

    def ask(self, world: World, target: int, value: Callable[[SimPod], int]) -> int | None:
        """Apply HPA's own formula; a pod without a reading has a missing metric."""
        pods = [
            MetricPod(
                value(pod) if pod.readable and pod.started(world.now) else None,
                pending=pod.pending(world.now),
                terminating=pod.terminated is not None,
            )
            for pod in world.pods
        ]
        return hpa.recommend(world.replicas, target, pods)


class Keda(_Hpa):
    """KEDA's Prometheus scaler: the sum over readable pods (0 without any), as an average per replica."""

    name = "KEDA"

    def ask(self, world: World, target: int, value: Callable[[SimPod], int]) -> int:
        """Apply HPA's formula for an external metric."""
        total = sum(value(pod) for pod in world.pods if pod.readable and pod.started(world.now))
        return hpa.average_value(world.replicas, target, total)
