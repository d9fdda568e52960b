"""Recommends replicas for the load alone, before windows, rates, bounds and freezes.

All else being equal, the recommendation never falls while load rises.
"""

from __future__ import annotations

from hunarmitra_operator.hpa import ceil_div
from hunarmitra_operator.model import History, Spec, Survey

SETTLE_SECONDS = 120
"""How long new pods may take to get their share before the fullest pod can ask for another pod."""


def within_tolerance(spec: Spec, total: float, target: int) -> bool:
    """Return whether a total of all pods is so near to its target that their number stays, as with HPA."""
    return (100 - spec.down.tolerance_percent) * target <= 100 * total <= (100 + spec.up.tolerance_percent) * target


def by_average(spec: Spec, total: int, current: int) -> int:
    """Return enough pods for `total` at the target each, or `current` while the average is within the tolerance.

    This is HPA's formula with every pod counted. Starting pods count with no load, as they are about to take some.
    """
    if within_tolerance(spec, total, spec.target_per_pod * current):
        return current
    return ceil_div(total, spec.target_per_pod)


def by_fullest(spec: Spec, survey: Survey, current: int, history: History, now: float) -> int:
    """Return one pod more if the fullest pod is close to its cap, or 0 if it is not.

    Placement may be uneven: the average can look fine while one pod rejects clients. More than one pod at a time would
    overshoot, because a full pod stays full until its clients move. The limit is twice what the average needs: if the
    fullest pod is still full then, more pods do not help.
    """
    if not survey.capacity or not spec.consider_fullest:
        return 0
    if 100 * survey.capacity[-1][0] < (100 - spec.up.tolerance_percent) * spec.cap_per_pod:
        return 0
    settling = bool(survey.pending or survey.starting or survey.unready) or (
        history.grown is not None and now - history.grown < SETTLE_SECONDS
    )
    return min(current if settling else current + 1, 2 * ceil_div(survey.total, spec.target_per_pod))


def recommend(spec: Spec, survey: Survey, current: int, history: History, now: float) -> int | None:
    """Return the replicas for the load, or None while no pod can be read."""
    if not survey.readable:
        return None
    return max(by_average(spec, survey.total, current), by_fullest(spec, survey, current, history, now))
