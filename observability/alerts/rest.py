"""Alerts on REST: errors, latency, missing pods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from observability.alerts.delivery import above, rate
from observability.alerts.names import HTTP_PODS_GONE, POSTGRESQL_AWAY
from observability.model import Alert, Group, Severity
from observability.objectives import Objective
from observability.parameters import Parameters

REQUESTS: Final = "hunarmitra_http_requests_total"
DURATION: Final = "hunarmitra_http_request_duration_seconds"
LATENCY_SECONDS: Final = "1.0"

OBJECTIVES: Final = (
    Objective(
        slo="rest_errors",
        alert="HunarMitraRestErrors",
        target=0.999,
        what="REST requests are answered with a 5xx",
        bad=rate(REQUESTS, status="5xx"),
        total=rate(REQUESTS),
        symptom_of=(POSTGRESQL_AWAY, HTTP_PODS_GONE),
    ),
    Objective(
        slo="rest_latency",
        alert="HunarMitraRestLatency",
        target=0.99,
        what="REST requests take longer than a second",
        bad=above(DURATION, LATENCY_SECONDS),
        total=rate(f"{DURATION}_count"),
        symptom_of=(POSTGRESQL_AWAY, HTTP_PODS_GONE),
    ),
)


def groups(parameters: Parameters) -> Iterator[Group]:
    for objective in OBJECTIVES:
        yield objective.group(parameters)
    yield Group(name="hunarmitra-rest", rules=tuple(_alerts(parameters)))


def _alerts(parameters: Parameters) -> Iterator[Alert]:
    served = parameters.select("hunarmitra_http_requests_in_progress")
    yield Alert(
        name=HTTP_PODS_GONE,
        expr=f"absent({served})",
        wait="1m",
        severity=Severity.CRITICAL,
        summary="There is no http pod: REST does not answer.",
        description="Prometheus has reached no http process for a minute.",
    )
    targets = parameters.select("up", job="~hunarmitra.*")
    yield Alert(
        name="HunarMitraTargetDown",
        expr=f"{targets} == 0",
        wait="5m",
        severity=Severity.WARNING,
        summary="Prometheus cannot scrape {{ $labels.instance }} ({{ $labels.job }}).",
        description="It has answered no scrape for five minutes, so no alert about this process can be trusted.",
    )
