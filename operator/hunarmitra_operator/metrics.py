"""The operator's own metrics."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from hunarmitra_operator.model import Demand, Reason

PREFIX = "hunarmitra_operator"
SCALER = ("namespace", "name")

connections = Gauge(f"{PREFIX}_connections", "Connections on all pods of the target.", SCALER)
pods_ready = Gauge(f"{PREFIX}_pods_ready", "Pods that are ready and not being drained.", SCALER)
pods_unreadable = Gauge(f"{PREFIX}_pods_unreadable", "Pods without a recent reading.", SCALER)
fullest_pod = Gauge(f"{PREFIX}_fullest_pod_connections", "Connections on the fullest pod.", SCALER)
replicas_current = Gauge(f"{PREFIX}_replicas_current", "Replicas of the target.", SCALER)
replicas_desired = Gauge(f"{PREFIX}_replicas_desired", "Replicas that the operator works towards.", SCALER)
replicas_recommended = Gauge(f"{PREFIX}_replicas_recommended", "Replicas that the load needs.", SCALER)
replicas_predicted = Gauge(
    f"{PREFIX}_replicas_predicted", "Replicas for the load that last week had soon after this time.", SCALER
)
metric_average = Gauge(
    f"{PREFIX}_metric_average", "Average over the pods of a metric of spec.metrics.", (*SCALER, "metric")
)
metric_target = Gauge(f"{PREFIX}_metric_target", "Target per pod of a metric of spec.metrics.", (*SCALER, "metric"))
metric_replicas = Gauge(
    f"{PREFIX}_metric_replicas", "Replicas that a metric of spec.metrics asks for.", (*SCALER, "metric")
)
draining = Gauge(f"{PREFIX}_pods_draining", "Pods being drained by the operator.", SCALER)
condition = Gauge(f"{PREFIX}_condition", "1 while the condition is true, else 0.", (*SCALER, "type"))
last_decision = Gauge(f"{PREFIX}_last_decision_timestamp_seconds", "Time of the last decision.", SCALER)

leading = Gauge(f"{PREFIX}_leading", "1 while this replica decides, 0 while it stands by.")

decisions = Counter(f"{PREFIX}_decisions", "Decisions, by reason.", (*SCALER, "reason"))
drains = Counter(f"{PREFIX}_drains", "Drains that began, finished or were aborted.", (*SCALER, "event"))
rebalanced = Counter(f"{PREFIX}_connections_shed", "Connections that pods moved on request.", SCALER)
turn_errors = Counter(f"{PREFIX}_turn_errors", "Failed turns, by kind of failure.", (*SCALER, "kind"))
api_requests = Counter(f"{PREFIX}_api_requests", "Requests to the API server.", ("verb", "resource", "code"))
pod_requests = Counter(f"{PREFIX}_pod_requests", "Requests to pods' control ports.", ("verb", "outcome"))

turn_seconds = Histogram(
    f"{PREFIX}_turn_duration_seconds",
    "Duration of a turn: observing, deciding and acting.",
    SCALER,
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
decide_seconds = Histogram(
    f"{PREFIX}_decide_duration_seconds",
    "Duration of the decision alone.",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05),
)

_GAUGES = (
    connections,
    pods_ready,
    pods_unreadable,
    fullest_pod,
    replicas_current,
    replicas_desired,
    replicas_recommended,
    replicas_predicted,
    draining,
    last_decision,
)
TURN_ERRORS = ("api", "timeout", "unexpected")
DRAIN_EVENTS = ("begun", "finished", "given_up")
CONDITIONS = ("Ready", "Scaling", "Draining", "MetricsStale", "Limited", "Conflict", "Paused")


_measured: dict[tuple[str, str], set[str]] = {}
"""Names of the metrics besides connections that each resource has series of."""


def measure_demands(namespace: str, name: str, demands: Iterable[Demand]) -> None:
    """Set the gauges of the metrics besides connections. A metric without a value has no series."""
    known = {demand.metric: demand for demand in demands if demand.replicas is not None}
    for gone in _measured.get((namespace, name), set()) - known.keys():
        for gauge in (metric_average, metric_target, metric_replicas):
            _remove(gauge, namespace, name, gone)
    _measured[namespace, name] = set(known)
    for metric, demand in known.items():
        metric_average.labels(namespace, name, metric).set(demand.average or 0.0)
        metric_target.labels(namespace, name, metric).set(demand.target)
        metric_replicas.labels(namespace, name, metric).set(demand.replicas or 0)


def begin(namespace: str, name: str) -> None:
    """Create the counters of a resource at zero. Otherwise no query sees the first increase."""
    for event in DRAIN_EVENTS:
        drains.labels(namespace, name, event)
    for reason in Reason:
        decisions.labels(namespace, name, reason.value)
    for kind in TURN_ERRORS:
        turn_errors.labels(namespace, name, kind)
    rebalanced.labels(namespace, name)


def forget(namespace: str, name: str) -> None:
    """Remove every series of a deleted resource, so that no alert fires on it and memory does not grow."""
    measure_demands(namespace, name, ())
    _measured.pop((namespace, name), None)
    for metric in (*_GAUGES, rebalanced, turn_seconds):
        _remove(metric, namespace, name)
    for event in DRAIN_EVENTS:
        _remove(drains, namespace, name, event)
    for reason in Reason:
        _remove(decisions, namespace, name, reason.value)
    for kind in TURN_ERRORS:
        _remove(turn_errors, namespace, name, kind)
    for kind in CONDITIONS:
        _remove(condition, namespace, name, kind)


def _remove(metric: Gauge | Counter | Histogram, *labels: str) -> None:
    try:
        metric.remove(*labels)
    except KeyError:
        return
