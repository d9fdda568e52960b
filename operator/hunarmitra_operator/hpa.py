"""The mathematics of Kubernetes' HorizontalPodAutoscaler, as a reference.

`decide` uses the windows and rate limits of this module. Its recommendation differs, and the tests compare it with
`recommend` wherever a spec asks for HPA's behaviour. `tools/simulate` runs the whole controller for comparison.

The arithmetic is exact. Upstream uses binary floating point, in which 1.1 x 10 is a little more than 11 and becomes 12
pods; this is the only difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from hunarmitra_operator.model import Change, Policy, PolicyType, Recommendation, Rules, Select


def ceil_div(numerator: int, denominator: int) -> int:
    """Return the quotient, rounded up; exact for integers of any size."""
    return -(-numerator // denominator)


@dataclass(frozen=True, slots=True)
class MetricPod:
    """Pod as HPA sees it; `value` is None where the metric is missing.

    Pods that are not ready count as unready only for CPU (`unready`). For every other metric HPA looks at the phase
    alone.
    """

    value: int | None
    pending: bool = False
    failed: bool = False
    terminating: bool = False
    unready: bool = False


@dataclass(slots=True)
class _Groups:
    """Pods as HPA sorts them: with a metric, without one, and ignored."""

    values: list[int]
    missing: int = 0
    ignored: int = 0


def _group(pods: Iterable[MetricPod]) -> _Groups:
    groups = _Groups([])
    for pod in pods:
        if pod.failed or pod.terminating:
            continue
        if pod.pending:
            groups.ignored += 1
        elif pod.value is None:
            groups.missing += 1
        elif pod.unready:
            groups.ignored += 1
        else:
            groups.values.append(pod.value)
    return groups


def _within(ratio: Fraction, up_percent: int, down_percent: int) -> bool:
    return Fraction(100 - down_percent, 100) <= ratio <= Fraction(100 + up_percent, 100)


def recommend(
    current: int,
    target: int,
    pods: Sequence[MetricPod],
    *,
    up_percent: int = 10,
    down_percent: int = 10,
    missing_value: int | None = None,
) -> int | None:
    """Return the replicas for an average of `target` per pod, or None where HPA reports that metrics are missing.

    When the average would scale down, a missing pod counts as on target (for CPU with its whole request:
    `missing_value`). When it would scale up, missing and ignored pods count as 0. If that changes the direction, or
    brings the ratio within the tolerance, nothing changes.
    """
    groups = _group(pods)
    if not groups.values:
        return None
    ratio = Fraction(sum(groups.values), target * len(groups.values))
    rebalance_ignored = groups.ignored > 0 and ratio > 1
    if not rebalance_ignored and not groups.missing:
        if _within(ratio, up_percent, down_percent):
            return current
        return ceil_div(sum(groups.values), target)

    total, count = sum(groups.values), len(groups.values)
    if ratio != 1:
        count += groups.missing
    if ratio < 1:
        total += (target if missing_value is None else missing_value) * groups.missing
    if rebalance_ignored:
        count += groups.ignored
    new_ratio = Fraction(total, target * count)
    flipped = (ratio < 1 < new_ratio) or (new_ratio < 1 < ratio)
    if flipped or _within(new_ratio, up_percent, down_percent):
        return current
    replicas = ceil_div(total, target)
    if (new_ratio < 1 and replicas > current) or (new_ratio > 1 and replicas < current):
        return current
    return replicas


def average_value(current: int, target: int, total: int, *, up_percent: int = 10, down_percent: int = 10) -> int:
    """Return the replicas for an external metric with a target average per replica, as KEDA uses HPA."""
    if current > 0 and _within(Fraction(total, target * current), up_percent, down_percent):
        return current
    return ceil_div(total, target)


def stabilize(
    recommendations: Iterable[Recommendation], *, now: float, current: int, desired: int, up: int, down: int
) -> int:
    """Return the lowest recent recommendation when scaling up, the highest when scaling down, else `current`.

    `up` and `down` are the windows. A recommendation exactly as old as a window is outside of it.
    """
    lowest = highest = desired
    for item in recommendations:
        if item.at > now - up:
            lowest = min(lowest, item.replicas)
        if item.at > now - down:
            highest = max(highest, item.replicas)
    return min(max(current, lowest), highest)


def _changed(changes: Iterable[Change], *, now: float, period: int) -> int:
    return sum(change.by for change in changes if change.at > now - period)


def _proposals(
    current: int, policies: Iterable[Policy], changes: Sequence[Change], *, now: float, sign: int
) -> list[int]:
    proposals = []
    for policy in policies:
        start = current - _changed(changes, now=now, period=policy.period)
        if policy.type is PolicyType.PODS:
            proposals.append(start + sign * policy.value)
        else:
            hundredths = start * (100 + sign * policy.value)
            # Upwards rounds up; downwards truncates towards zero, as Go's conversion does.
            proposals.append(ceil_div(hundredths, 100) if sign > 0 else int(Fraction(hundredths, 100)))
    return proposals


def up_limit(current: int, rules: Rules, changes: Sequence[Change], *, now: float) -> int:
    """Return the most replicas that the rules allow now; never below `current`."""
    proposals = _proposals(current, rules.policies, changes, now=now, sign=1)
    if rules.select is Select.DISABLED or not proposals:
        return current
    return max(current, min(proposals) if rules.select is Select.MIN else max(proposals))


def down_limit(current: int, rules: Rules, changes: Sequence[Change], *, now: float) -> int:
    """Return the fewest replicas that the rules allow now; never above `current`."""
    proposals = _proposals(current, rules.policies, changes, now=now, sign=-1)
    if rules.select is Select.DISABLED or not proposals:
        return current
    return min(current, max(proposals) if rules.select is Select.MIN else min(proposals))


@dataclass(frozen=True, slots=True)
class Bounds:
    """Least and greatest number of replicas."""

    low: int
    high: int


def limit(
    *,
    current: int,
    desired: int,
    bounds: Bounds,
    up: Rules,
    down: Rules,
    changes: Sequence[Change],
    now: float,
) -> int:
    """Return `desired` within the rate policies and the bounds."""
    if desired > current:
        return min(desired, bounds.high, up_limit(current, up, changes, now=now))
    if desired < current:
        return max(desired, bounds.low, down_limit(current, down, changes, now=now))
    return current


class HorizontalPodAutoscaler:
    """The controller with its history. Call `sync` with one recommendation per period."""

    def __init__(self, bounds: Bounds, up: Rules, down: Rules) -> None:
        self.bounds, self.up, self.down = bounds, up, down
        self.recommendations: list[Recommendation] = []
        self.changes: list[Change] = []

    def sync(self, current: int, recommended: int | None, now: float) -> int:
        """Return the replicas after this sync. None as `recommended` means missing metrics: nothing changes."""
        if not self.recommendations:
            self.recommendations.append(Recommendation(current, now))
        desired = self._desired(current, recommended, now)
        if desired != current:
            self.changes.append(Change(desired - current, now))
        self._forget(now)
        return desired

    def _desired(self, current: int, recommended: int | None, now: float) -> int:
        if current == 0:
            return 0
        if current > self.bounds.high:
            return self.bounds.high
        if current < self.bounds.low:
            return self.bounds.low
        if recommended is None:
            return current
        stable = stabilize(
            self.recommendations,
            now=now,
            current=current,
            desired=recommended,
            up=self.up.window,
            down=self.down.window,
        )
        self.recommendations.append(Recommendation(recommended, now))
        return limit(
            current=current,
            desired=stable,
            bounds=self.bounds,
            up=self.up,
            down=self.down,
            changes=self.changes,
            now=now,
        )

    def _forget(self, now: float) -> None:
        window = max(self.up.window, self.down.window)
        self.recommendations = [r for r in self.recommendations if r.at > now - window] or self.recommendations[-1:]
        period = max((p.period for p in (*self.up.policies, *self.down.policies)), default=0)
        self.changes = [c for c in self.changes if c.at > now - period]
