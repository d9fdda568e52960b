"""How many replicas the metrics besides connections ask for.

Each pod reports these numbers itself. As with HorizontalPodAutoscaler, the largest recommendation of all metrics
counts, so a further metric only adds replicas to what the connections need. For a fixed number of replicas the demand
never falls while a value rises.
"""

from __future__ import annotations

from hunarmitra_operator import explain
from hunarmitra_operator.model import CONNECTIONS, Demand, Metric, Pod, Spec, Survey
from hunarmitra_operator.recommendation import within_tolerance

COUNTED_TARGETS = 2
"""A pod counts with at most this many times the target, so that one stalled pod does not ask for many pods."""
ROUNDING = 1e-9


def demands(spec: Spec, survey: Survey, current: int) -> tuple[Demand, ...]:
    """Return what each metric of the spec asks for, in the order of the spec."""
    return tuple(_demand(spec, survey, metric, current) for metric in spec.metrics)


def _demand(spec: Spec, survey: Survey, metric: Metric, current: int) -> Demand:
    """Apply HPA's formula. Pods without a value, for example starting ones, count with 0."""
    values = [values[metric.name] for values in survey.metrics if metric.name in values]
    missing = _without(survey, metric)
    if not values:
        return Demand(metric.name, metric.target, missing=missing)
    counted = sum(min(value, COUNTED_TARGETS * metric.target) for value in values)
    average = sum(values) / len(values)
    return Demand(metric.name, metric.target, _replicas(spec, counted, metric.target, current), average, missing)


def _replicas(spec: Spec, total: float, target: int, current: int) -> int:
    """Return enough pods for `total` at the target each, or `current` while the average is within the tolerance."""
    if within_tolerance(spec, total, target * current):
        return current
    return -int((ROUNDING - total / target) // 1)


def _without(survey: Survey, metric: Metric) -> tuple[Pod, ...]:
    pairs = zip(survey.capacity, survey.metrics, strict=True)
    return tuple(pod for (_, pod), values in pairs if metric.name not in values)


def missing(spec: Spec, survey: Survey) -> str:
    """Return which pods in service do not report which metric, in words, or an empty string.

    While a metric is missing nothing may be removed: it could ask for more than the others.
    """
    without = ((metric.name, _without(survey, metric)) for metric in spec.metrics)
    return "; ".join(explain.unreported(name, pods) for name, pods in without if pods)


def stale(spec: Spec, survey: Survey) -> str:
    """Return why the load is not known, in words, so that nothing may be removed; an empty string if it is known."""
    return explain.unreadable(spec, survey) if survey.unreadable else missing(spec, survey)


def largest(by_connections: int, asked: tuple[Demand, ...]) -> tuple[int, Demand | None]:
    """Return the largest recommendation, and the metric that asks for it; None if the connections do."""
    replicas, leading = by_connections, None
    for demand in asked:
        if demand.replicas is not None and demand.replicas > replicas:
            replicas, leading = demand.replicas, demand
    return replicas, leading


def name(leading: Demand | None) -> str:
    """Return the name of the metric that decides."""
    return CONNECTIONS if leading is None else leading.metric
