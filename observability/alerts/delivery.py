"""Alerts on the delivery of events: latency, loss, replay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from observability.alerts.names import OUTBOX_STUCK, POSTGRESQL_AWAY, REDIS_AWAY, SUBSCRIBER_DEAF
from observability.model import Alert, Group, Severity
from observability.objectives import Objective, Rate
from observability.parameters import Parameters

LATENCY: Final = "hunarmitra_event_latency_seconds"
LATENCY_SECONDS: Final = "0.5"
REPLAYED_SECONDS: Final = "300.0"


def rate(metric: str, **matchers: str) -> Rate:
    """Return an expression: events per second by namespace."""
    return lambda parameters, window: f"sum by (namespace) (rate({parameters.select(metric, **matchers)}[{window}]))"


def above(histogram: str, bound: str, **matchers: str) -> Rate:
    """Return an expression: observations above a bucket's bound, per second, by namespace."""
    every, within = rate(f"{histogram}_count", **matchers), rate(f"{histogram}_bucket", **matchers, le=bound)
    return lambda parameters, window: f"{every(parameters, window)}\n- {within(parameters, window)}"


def plus(first: Rate, second: Rate) -> Rate:
    return lambda parameters, window: f"{first(parameters, window)}\n+ {second(parameters, window)}"


_RECOVERED = rate("hunarmitra_ws_events_recovered_total")
_ANNOUNCED = rate(f"{LATENCY}_count", stage="published_to_pod", lane="status")
_CAUSES: Final = (REDIS_AWAY, POSTGRESQL_AWAY, SUBSCRIBER_DEAF, OUTBOX_STUCK)

OBJECTIVES: Final = (
    Objective(
        slo="event_latency",
        alert="HunarMitraEventLatency",
        target=0.999,
        what="status events reach their client later than 500 ms after the commit",
        bad=above(LATENCY, LATENCY_SECONDS, stage="commit_to_socket", lane="status"),
        total=rate(f"{LATENCY}_count", stage="commit_to_socket", lane="status"),
        symptom_of=_CAUSES,
    ),
    Objective(
        slo="event_loss",
        alert="HunarMitraEventLoss",
        target=0.999,
        what="status events had to be recovered from the database",
        bad=_RECOVERED,
        total=plus(_RECOVERED, _ANNOUNCED),
        symptom_of=_CAUSES,
    ),
    Objective(
        slo="replayed_events",
        alert="HunarMitraReplayedEvents",
        target=0.95,
        what="replayed or recovered events are older than five minutes when they reach their client",
        bad=above("hunarmitra_replayed_event_age_seconds", REPLAYED_SECONDS),
        total=rate("hunarmitra_replayed_event_age_seconds_count"),
        pages=False,
        symptom_of=_CAUSES,
    ),
)


def groups(parameters: Parameters) -> Iterator[Group]:
    for objective in OBJECTIVES:
        yield objective.group(parameters)
    yield Group(name="hunarmitra-delivery", rules=tuple(_alerts(parameters)))


def _alerts(parameters: Parameters) -> Iterator[Alert]:
    select, window = parameters.select, parameters.window
    skewed = f"sum by (namespace) (rate({select('hunarmitra_event_clock_skew_total')}[{window('30m')}]))"
    arrived = f"{LATENCY}_count"
    messages = f"sum by (namespace) (rate({select(arrived, stage='published_to_pod')}[{window('30m')}]))"
    yield Alert(
        name="HunarMitraClockSkew",
        expr=f"{skewed} / {messages} > 0.01",
        wait="30m",
        severity=Severity.WARNING,
        summary="The clocks of the machines differ: event latency is measured wrongly.",
        description="{{ $value | humanizePercentage }} of messages seem to arrive before they were sent.",
    )
    resync = f"sum by (namespace) (rate({select('hunarmitra_ws_resumes_total', outcome='resync')}[{window('30m')}]))"
    resumed = (
        "sum by (namespace) "
        f"(rate({select('hunarmitra_ws_resumes_total', outcome='~replayed|resync')}[{window('30m')}]))"
    )
    yield Alert(
        name="HunarMitraResumesRefused",
        expr=f"{resync} / {resumed} > 0.2\nand {resync} * {parameters.window_seconds('30m'):g} >= 10",
        wait="15m",
        severity=Severity.WARNING,
        summary="Many reconnecting clients get resync_required.",
        description="{{ $value | humanizePercentage }} of resuming clients could not get the events that they missed.",
    )
