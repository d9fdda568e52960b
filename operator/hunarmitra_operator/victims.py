"""Chooses which pods to remove, and how many at once."""

from __future__ import annotations

from dataclasses import dataclass

from hunarmitra_operator.hpa import ceil_div
from hunarmitra_operator.model import Pod, Spec, Survey, Victim

MAX_VICTIMS = 300
"""Most pods of one drain. Their names are in the resource's status, which must stay small. The next drain follows."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Victims, the emptiest first, and what limited their number."""

    victims: tuple[Victim, ...]
    limit: str = ""


def _victim(pod: Pod, connections: int = 0) -> Victim:
    return Victim(pod.uid, pod.name, connections)


def plan(spec: Spec, survey: Survey, count: int, *, forced: int = 0) -> Plan:
    """Choose up to `count` victims, `forced` of them even if the survivors exceed their cap.

    Pods without a running container come first: they carry no client, and Kubernetes removes them first in any case.
    The emptiest pods follow. Their clients, and those of terminating pods, are assumed to spread evenly over the
    survivors; no survivor may exceed the cap. The moved clients stay within the reconnect budget over the drain window,
    except that one pod may always be drained.
    """
    if count <= 0:
        return Plan(())
    limit = f"at most {MAX_VICTIMS} pods are drained at once" if count > MAX_VICTIMS else ""
    count = min(count, MAX_VICTIMS)
    if survey.pending:
        # Kubernetes removes pending pods before drained ones, so a plan never mixes the two kinds.
        idle = sorted(survey.pending, key=lambda pod: pod.uid)[:count]
        return Plan(tuple(_victim(pod) for pod in idle), limit)

    candidates = survey.capacity
    budget = spec.reconnects_per_second * spec.drain_window
    # Connections on pods that are terminating move too.
    elsewhere = max(0, survey.total - sum(load for load, _ in candidates))
    moved = best = 0
    for number, (load, _) in enumerate(candidates[: min(count, len(candidates) - 1)], start=1):
        moved += load
        survivors = len(candidates) - number
        fullest = candidates[-1][0] + ceil_div(moved + elsewhere, survivors)
        if fullest > spec.cap_per_pod and number > forced:
            limit = f"the fullest survivor would carry {fullest} of at most {spec.cap_per_pod}"
            break
        if moved > budget and number > 1:
            rate = f"{spec.reconnects_per_second} reconnects per second"
            limit = f"{rate} over {spec.drain_window} s limit how many are drained at once"
            break
        best = number
    return Plan(tuple(_victim(pod, load) for load, pod in candidates[:best]), limit)
