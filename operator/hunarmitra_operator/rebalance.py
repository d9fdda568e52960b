"""Plans to move connections from pods that carry much more than the average.

A connection stays on its pod, so new pods are idle after a scale-up while the old ones stay full. In a round each donor
moves what it has above the average. Clients reconnect to a random pod, also to a donor; the next round moves what is
still above the thresholds. A round never brings a donor below the average.
"""

from __future__ import annotations

from hunarmitra_operator.hpa import ceil_div
from hunarmitra_operator.model import Move, RebalanceRules, Survey


def donors(rules: RebalanceRules, survey: Survey) -> tuple[list[tuple[int, str, str]], int]:
    """Return excess, UID and name of the pods beyond both thresholds, the fullest first, and the rounded-up average."""
    count = len(survey.capacity)
    if count < 2:
        return [], 0
    total = sum(load for load, _ in survey.capacity)
    found: list[tuple[int, str, str]] = []
    average = ceil_div(total, count)
    for load, pod in reversed(survey.capacity):
        # Compare without division, so that rounding never decides.
        beyond_absolute = load * count > total + rules.absolute * count
        beyond_relative = 100 * load * count > (100 + rules.relative_percent) * total
        if not (beyond_absolute and beyond_relative):
            break
        found.append((load - average, pod.uid, pod.name))
    return found, average


def plan(rules: RebalanceRules, survey: Survey, budget: int) -> tuple[Move, ...]:
    """Plan a round of at most `budget` connections, shared by the donors in proportion to their excess."""
    found, _ = donors(rules, survey)
    excess = sum(amount for amount, _, _ in found)
    if excess <= 0:
        return ()
    left = min(budget, excess)
    allowed = left
    moves = []
    for amount, uid, name in found:
        share = min(amount, left, ceil_div(amount * allowed, excess))
        if share > 0:
            moves.append(Move(uid, name, share))
            left -= share
    return tuple(moves)
