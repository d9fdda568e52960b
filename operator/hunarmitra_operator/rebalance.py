"""Moves connections from pods that carry much more than the average.

WebSockets stay where they are, so new pods idle after a scale-up while the old ones stay full. A round asks
each donor to give away what it has above the average. Clients come back to a pod at random, to a donor too,
so what a round leaves above the thresholds is the next round's; no donor ever falls below the average by it.
"""

from __future__ import annotations

from hunarmitra_operator.hpa import ceil_div
from hunarmitra_operator.model import Rebalance, Shed, Survey


def donors(rules: Rebalance, survey: Survey) -> tuple[list[tuple[int, str, str]], int]:
    """Excess, UID and name of each pod beyond both thresholds, the fullest first; and the average, rounded
    up."""
    count = len(survey.capacity)
    if count < 2:
        return [], 0
    total = sum(load for load, _ in survey.capacity)
    found: list[tuple[int, str, str]] = []
    average = ceil_div(total, count)
    for load, pod in reversed(survey.capacity):
        # Compared without dividing, so that rounding never decides.
        beyond_absolute = load * count > total + rules.absolute * count
        beyond_relative = 100 * load * count > (100 + rules.relative_percent) * total
        if not (beyond_absolute and beyond_relative):
            break
        found.append((load - average, pod.uid, pod.name))
    return found, average


def plan(rules: Rebalance, survey: Survey, budget: int) -> tuple[Shed, ...]:
    """One round, of at most `budget` connections in all, shared by the donors in proportion to their
    excess."""
    found, _ = donors(rules, survey)
    excess = sum(amount for amount, _, _ in found)
    if excess <= 0:
        return ()
    left = min(budget, excess)
    allowed = left
    sheds = []
    for amount, uid, name in found:
        share = min(amount, left, ceil_div(amount * allowed, excess))
        if share > 0:
            sheds.append(Shed(uid, name, share))
            left -= share
    return tuple(sheds)
