"""Alerts on the operator that scales the ws pods. The group is omitted if no operator runs."""

from __future__ import annotations

from collections.abc import Iterator

from observability.model import Alert, Group, Severity
from observability.parameters import Parameters

CONDITION = "hunarmitra_operator_condition"


def groups(parameters: Parameters) -> Iterator[Group]:
    yield Group(name="hunarmitra-scaler", rules=tuple(_alerts(parameters)), needs="operator")


def _alerts(parameters: Parameters) -> Iterator[Alert]:
    select, window = parameters.select, parameters.window
    decided = select("hunarmitra_operator_last_decision_timestamp_seconds")
    yield Alert(
        name="HunarMitraScalerStale",
        expr=(
            f"max by (namespace, name) ({select(CONDITION, type='MetricsStale')}) == 1\n"
            f"or time() - max by (namespace, name) ({decided}) > {parameters.age('2m')}"
        ),
        wait="5m",
        severity=Severity.WARNING,
        summary="The scaler {{ $labels.name }} decides on outdated readings, or not at all.",
        description=(
            "It cannot read every ws pod, a pod does not report a metric of spec.metrics, or it has made no decision "
            "for two minutes. It does not scale down; it scales up only by what it can read."
        ),
    )
    yield Alert(
        name="HunarMitraScalerGone",
        expr=f"absent({decided})",
        wait="5m",
        severity=Severity.WARNING,
        summary="The operator does not run: the ws pods are not scaled.",
        description="Prometheus has seen no decision of any scaler for five minutes. The fleet keeps its size.",
    )
    yield Alert(
        name="HunarMitraScalerConflict",
        expr=f"max by (namespace, name) ({select(CONDITION, type='Conflict')}) == 1",
        wait="5m",
        severity=Severity.WARNING,
        summary="Something else scales the Deployment of the scaler {{ $labels.name }}, which therefore does nothing.",
        description="A HorizontalPodAutoscaler, a ScaledObject or manual commands change the number of replicas.",
    )
    yield Alert(
        name="HunarMitraScalerLimited",
        expr=(
            f"max by (namespace, name) ({select(CONDITION, type='Limited')}) == 1\n"
            f"and max by (namespace, name) ({select('hunarmitra_operator_replicas_recommended')})\n"
            f"    > max by (namespace, name) ({select('hunarmitra_operator_replicas_current')})"
        ),
        wait="15m",
        severity=Severity.WARNING,
        summary="The scaler {{ $labels.name }} needs more pods than maxReplicas allows.",
        description="The load needs more pods than there are, and maxReplicas is reached.",
    )
    errors = select("hunarmitra_operator_turn_errors_total")
    yield Alert(
        name="HunarMitraScalerErrors",
        expr=f"sum by (namespace, name) (rate({errors}[{window('5m')}])) > 0",
        wait="10m",
        severity=Severity.WARNING,
        summary="Turns of the scaler {{ $labels.name }} fail.",
        description="The API server does not answer, or rejects requests.",
    )
    given_up = select("hunarmitra_operator_drains_total", event="given_up")
    yield Alert(
        name="HunarMitraScalerDrainsGivenUp",
        expr=f"sum by (namespace, name) (increase({given_up}[{window('1h')}])) > 3",
        wait="0s",
        severity=Severity.WARNING,
        summary="The scaler {{ $labels.name }} starts drains and aborts them.",
        description="About {{ $value | humanize }} within an hour: the load varies fast, or rollouts interrupt the "
        "drains.",
    )
