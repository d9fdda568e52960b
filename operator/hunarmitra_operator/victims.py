"""Which pods to remove, and how many of them at once."""

from __future__ import annotations

from dataclasses import dataclass

from hunarmitra_operator.hpa import ceil_div
from hunarmitra_operator.model import Pod, Spec, Survey, Victim


@dataclass(frozen=True, slots=True)
class Plan:
    """Victims, the emptiest first, and what kept them from being more."""

    victims: tuple[Victim, ...]
    limit: str = ""


def _victim(pod: Pod, connections: int = 0) -> Victim:
    return Victim(pod.uid, pod.name, connections)


def plan(spec: Spec, survey: Survey, count: int, *, forced: int = 0) -> Plan:
    """Choose up to `count` victims, `forced` of them even if the survivors get more than their cap.

    Pods without a running container come first: they carry nobody, and Kubernetes removes them first whatever
    it is told. Then the emptiest. Their clients are assumed to spread evenly over the survivors, together
    with those of pods that are terminating; no survivor may come to more than the cap. The clients moved stay
    within the reconnect budget over the drain window, except that one pod may always be drained."""
    if count <= 0:
        return Plan(())
    if survey.pending:
        # Kubernetes would remove other pending pods before a drained one, so the two kinds are not mixed.
        idle = sorted(survey.pending, key=lambda pod: pod.uid)[:count]
        return Plan(tuple(_victim(pod) for pod in idle))

    candidates = survey.capacity
    budget = spec.reconnects_per_second * spec.drain_window
    # What is neither on capacity nor estimated sits on pods about to go: it moves too.
    elsewhere = max(0, survey.total - sum(load for load, _ in candidates))
    moved, limit = 0, ""
    best = 0
    for number, (load, _) in enumerate(candidates[: min(count, len(candidates) - 1)], start=1):
        moved += load
        survivors = len(candidates) - number
        fullest = candidates[-1][0] + ceil_div(moved + elsewhere, survivors)
        if fullest > spec.cap_per_pod and number > forced:
            limit = f"the fullest survivor would carry {fullest} of at most {spec.cap_per_pod}"
            break
        if moved > budget and number > 1:
            rate = f"{spec.reconnects_per_second} reconnects per second"
            limit = f"{rate} over {spec.drain_window} s allow no more at once"
            break
        best = number
    return Plan(tuple(_victim(pod, load) for load, pod in candidates[:best]), limit)
