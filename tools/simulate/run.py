"""Runs a trace with one autoscaler, or with all of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from hunarmitra_operator.hpa import ceil_div
from hunarmitra_operator.model import Decision, Spec
from tools.simulate.autoscalers import Autoscaler, Hpa, Keda, Ours, Predicting
from tools.simulate.traces import Trace
from tools.simulate.world import STEP, Tally, World

SPEC = Spec(target="ws", target_per_pod=1000, cap_per_pod=1500, min_replicas=2, max_replicas=40)
"""Spec for the traces: defaults, and pods of a size that makes the pictures readable."""

AUTOSCALERS: tuple[Callable[[Spec], Autoscaler], ...] = (Ours, Hpa, Keda)


@dataclass(slots=True)
class Series:
    """Values for the picture, one for each drawn moment."""

    time: list[float] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    pods: list[int] = field(default_factory=list)
    fullest: list[int] = field(default_factory=list)
    mean: list[float] = field(default_factory=list)
    emptiest: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Result:
    """Result of one trace with one autoscaler."""

    autoscaler: str
    trace: Trace
    tally: Tally
    series: Series
    decisions: tuple[Decision, ...] = ()

    @property
    def pod_hours(self) -> float:
        """Hours of existence of all pods, also of those that start, drain or terminate."""
        return self.tally.pod_seconds / 3600


def run(trace: Trace, build: Callable[[Spec], Autoscaler], seed: int, spec: Spec = SPEC) -> Result:
    """Run the trace with one autoscaler.

    The same seed gives the same clients, but not the same random events after the first difference.
    """
    autoscaler = build(spec)
    replicas = max(spec.min_replicas, min(spec.max_replicas, ceil_div(trace.at(0), spec.target_per_pod)))
    world = World(trace, spec.cap_per_pod, spec.drain_window, replicas, random.Random(f"world/{seed}"))
    world.begin()
    series = Series()
    while world.now < trace.end:
        world.step()
        autoscaler.act(world)
        _note(series, world)
    decisions = tuple(autoscaler.decisions) if isinstance(autoscaler, Ours) else ()
    return Result(autoscaler.name, trace, world.tally, series, decisions)


def _note(series: Series, world: World) -> None:
    if world.now % (6 * STEP):
        return
    loads = [pod.load for pod in world.pods if pod.ready(world.now)]
    series.time.append(world.now)
    series.connections.append(sum(pod.load for pod in world.pods))
    series.pods.append(len(world.living()))
    series.fullest.append(max(loads, default=0))
    series.mean.append(sum(loads) / len(loads) if loads else 0.0)
    series.emptiest.append(min(loads, default=0))


def compare(trace: Trace, seed: int, spec: Spec = SPEC, last_week: Trace | None = None) -> tuple[Result, ...]:
    """Run the trace with each autoscaler; with `last_week` also with the operator's prediction from it."""
    builds = list(AUTOSCALERS)
    if last_week is not None:
        builds.insert(1, lambda chosen: Predicting(chosen, last_week))
    return tuple(run(trace, build, seed, spec) for build in builds)
