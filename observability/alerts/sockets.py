"""Alerts on connections and ws pods: capacity, handshakes, slow clients, the event loop, drains."""

from __future__ import annotations

from collections.abc import Iterator

from observability.alerts.names import FLEET_FULL, POSTGRESQL_AWAY, WS_PODS_GONE
from observability.model import Alert, Group, Record, Rule, Severity
from observability.parameters import Parameters

CONNECTIONS = "namespace_pod:hunarmitra_ws_connections:sum"
FILL = "namespace_pod:hunarmitra_ws_fill:ratio"
LOOP_DELAY = "namespace_pod:hunarmitra_ws_event_loop_delay_seconds:p99_5m"


def groups(parameters: Parameters) -> Iterator[Group]:
    rules = (*_room(parameters), *_handshakes(parameters), *_pods(parameters), *_clients(parameters))
    yield Group(name="hunarmitra-sockets", rules=rules)


def _room(parameters: Parameters) -> Iterator[Rule]:
    select = parameters.select
    limit = f"sum by (namespace, pod) ({select('hunarmitra_ws_connections_limit')})"
    serving = f"max by (namespace, pod) ({select('hunarmitra_ws_draining')}) == 0"
    yield Record(
        record=CONNECTIONS,
        expr=f"sum by (namespace, pod) ({select('hunarmitra_ws_connections')})",
    )
    yield Record(record=FILL, expr=f"{select(CONNECTIONS)} / {limit} and {serving}")
    yield Alert(
        name=FLEET_FULL,
        expr=(
            f"sum by (namespace) ({select(CONNECTIONS)} and {serving})\n"
            f"/ sum by (namespace) ({limit} and {serving}) > 0.95"
        ),
        wait="2m",
        severity=Severity.CRITICAL,
        summary="The ws pods are full: they reject clients.",
        description="{{ $value | humanizePercentage }} of the connection limit of all pods is used.",
    )
    yield Alert(
        name="HunarMitraPodAtCap",
        expr=f"{select(FILL)} > 0.98",
        wait="5m",
        severity=Severity.WARNING,
        summary="The ws pod {{ $labels.pod }} is full while others have room.",
        description=(
            "{{ $value | humanizePercentage }} of its connection limit is used. It rejects clients with 4013; they "
            "retry, and "
            "reach another pod."
        ),
        symptom_of=(FLEET_FULL,),
    )


def _handshakes(parameters: Parameters) -> Iterator[Alert]:
    def ended(outcome: str, duration: str) -> str:
        metric = parameters.select("hunarmitra_ws_handshakes_total", **({"outcome": outcome} if outcome else {}))
        return f"sum by (namespace) (increase({metric}[{parameters.window(duration)}]))"

    failed = ended("unavailable", "5m")
    yield Alert(
        name="HunarMitraHandshakeErrors",
        expr=f"{failed} / {ended('', '5m')} > 0.05\nand {failed} >= 5",
        wait="2m",
        severity=Severity.CRITICAL,
        summary="Clients cannot connect: the server fails during the handshake.",
        description="{{ $value | humanizePercentage }} of handshakes fail because the database or Redis does not "
        "answer.",
        symptom_of=(POSTGRESQL_AWAY, WS_PODS_GONE),
        memory="5m",
    )
    refused = ended("refused", "15m")
    yield Alert(
        name="HunarMitraHandshakesRefused",
        expr=f"{refused} / {ended('', '15m')} > 0.5\nand {refused} >= 50",
        wait="10m",
        severity=Severity.WARNING,
        summary="Most handshakes are rejected because of their origin, credentials or rights.",
        description="{{ $value | humanizePercentage }} of handshakes are rejected: an attack, or a broken release.",
    )


def _pods(parameters: Parameters) -> Iterator[Rule]:
    select, window = parameters.select, parameters.window
    loop = select("hunarmitra_ws_event_loop_delay_seconds_bucket")
    yield Record(
        record=LOOP_DELAY,
        expr=f"histogram_quantile(0.99, sum by (namespace, pod, le) (rate({loop}[{window('5m')}])))",
    )
    yield Alert(
        name="HunarMitraEventLoopStalled",
        expr=f"{select(LOOP_DELAY)} > 0.25",
        wait="5m",
        severity=Severity.WARNING,
        summary="The event loop of the ws pod {{ $labels.pod }} is late.",
        description=(
            "One timer in a hundred is at least {{ $value | humanizeDuration }} late: the process lacks CPU time, or "
            "something blocks it. Every client of the pod waits that long."
        ),
    )
    served = select("hunarmitra_ws_draining")
    yield Alert(
        name=WS_PODS_GONE,
        expr=f"absent({served})",
        wait="1m",
        severity=Severity.CRITICAL,
        summary="There is no ws pod: clients cannot watch bookings.",
        description="Prometheus has reached no ws process for a minute.",
    )
    cut_off = select("hunarmitra_ws_drain_cut_off_total")
    yield Alert(
        name="HunarMitraDrainCutOff",
        expr=f"sum by (namespace, pod) (increase({cut_off}[{window('15m')}])) > 0",
        wait="0s",
        severity=Severity.WARNING,
        summary="The drain of the ws pod {{ $labels.pod }} ended with connections still open.",
        description="About {{ $value | humanize }} connections were cut off before they could be moved.",
    )


def _clients(parameters: Parameters) -> Iterator[Alert]:
    select, window = parameters.select, parameters.window
    closed = f"sum by (namespace) (increase({select('hunarmitra_ws_slow_clients_closed_total')}[{window('15m')}]))"
    yield Alert(
        name="HunarMitraSlowClients",
        expr=f"{closed} > 3\nand {closed} > 0.01 * sum by (namespace) ({select(CONNECTIONS)})",
        wait="5m",
        severity=Severity.WARNING,
        summary="Many connections are closed because their clients read too slowly (4008).",
        description="About {{ $value | humanize }} in fifteen minutes, more than one in a hundred that are open.",
    )
