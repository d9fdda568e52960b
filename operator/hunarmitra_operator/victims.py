"""Chooses which pods to remove, and how many at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hunarmitra_operator.hpa import ceil_div
from hunarmitra_operator.model import Ordinals, Pod, Spec, Survey, Victim

MAX_VICTIMS = 300
"""Most pods of one drain. Their names are in the resource's status, which must stay small. The next drain follows."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Victims, the emptiest first, and what limited their number."""

    victims: tuple[Victim, ...]
    limit: str = ""


def _victim(pod: Pod, connections: int = 0) -> Victim:
    return Victim(pod.uid, pod.name, connections)


def plan(spec: Spec, survey: Survey, count: int, *, forced: int = 0, ordinals: Ordinals | None = None) -> Plan:
    """Choose up to `count` victims, `forced` of them even if the survivors exceed their cap.

    Pods without a running container come first: they carry no client, and Kubernetes removes them first in any case.
    The emptiest pods follow. Their clients, and those of terminating pods, are assumed to spread evenly over the
    survivors; no survivor may exceed the cap. The moved clients stay within the reconnect budget over the drain window,
    except that one pod may always be drained.

    A StatefulSet (`ordinals`) removes the highest ordinals, so its victims are these, however full they are.
    """
    if count <= 0:
        return Plan(())
    limit = f"at most {MAX_VICTIMS} pods are drained at once" if count > MAX_VICTIMS else ""
    count = min(count, MAX_VICTIMS)
    if ordinals is not None:
        chosen, why = _highest(survey, count, ordinals)
        if survey.pending:
            return Plan(tuple(_victim(pod) for _, pod in chosen), why)
        best, reached = _fit(spec, survey, [load for load, _ in chosen], forced)
        return Plan(tuple(_victim(pod, load) for load, pod in chosen[:best]), reached or why or limit)
    if survey.pending:
        # Kubernetes removes pending pods before drained ones, so a plan never mixes the two kinds.
        idle = sorted(survey.pending, key=lambda pod: pod.uid)[:count]
        return Plan(tuple(_victim(pod) for pod in idle), limit)

    best, reached = _fit(
        spec, survey, [load for load, _ in survey.capacity[: min(count, len(survey.capacity) - 1)]], forced
    )
    return Plan(tuple(_victim(pod, load) for load, pod in survey.capacity[:best]), reached or limit)


def _fit(spec: Spec, survey: Survey, loads: Sequence[int], forced: int) -> tuple[int, str]:
    """Return how many of the victims with these loads may be drained at once, and what limits their number."""
    staying = Counter(load for load, _ in survey.capacity)
    survivors = [load for load, _ in survey.capacity]
    budget = spec.reconnects_per_second * spec.drain_window
    # Connections on pods that are terminating move too.
    elsewhere = max(0, survey.total - sum(survivors))
    moved = 0
    for number, load in enumerate(loads, start=1):
        moved += load
        staying[load] -= 1
        while not staying[survivors[-1]]:
            survivors.pop()
        fullest = survivors[-1] + ceil_div(moved + elsewhere, len(survey.capacity) - number)
        if fullest > spec.cap_per_pod and number > forced:
            return number - 1, f"the fullest survivor would carry {fullest} of at most {spec.cap_per_pod}"
        if moved > budget and number > 1:
            rate = f"{spec.reconnects_per_second} reconnects per second"
            return number - 1, f"{rate} over {spec.drain_window} s limit how many are drained at once"
    return len(loads), ""


def _highest(survey: Survey, count: int, ordinals: Ordinals) -> tuple[list[tuple[int, Pod]], str]:
    """Choose the pods with the highest ordinals, without a gap: only these does a StatefulSet remove."""
    limit = ""
    if ordinals.one_by_one and count > 1:
        count, limit = 1, "podManagementPolicy OrderedReady lets one pod be drained at once"
    if survey.pending:
        # A pod without a container has no client. While another one starts, the StatefulSet may not remove anything.
        lower = [pod for pod in survey.pending if pod.ordinal != ordinals.highest]
        return ([], f"{lower[0].name} is not running") if lower else ([(0, survey.pending[0])], limit)
    known = {pod.ordinal: (load, pod) for load, pod in survey.capacity}
    chosen: list[tuple[int, Pod]] = []
    for number in range(ordinals.highest, ordinals.highest - min(count, len(known) - 1), -1):
        if number not in known:
            limit = f"a StatefulSet removes the highest ordinal first, and the pod with ordinal {number} is not ready"
            break
        chosen.append(known[number])
    return chosen, limit
