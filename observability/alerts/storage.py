"""Redis, PostgreSQL, and what stands between them and the sockets: the causes of most other alerts."""

from __future__ import annotations

from collections.abc import Iterator

from observability.alerts.names import OUTBOX_STUCK, POSTGRESQL_AWAY, REDIS_AWAY, SUBSCRIBER_DEAF
from observability.model import Alert, Group, Severity
from observability.parameters import Parameters


def groups(parameters: Parameters) -> Iterator[Group]:
    yield Group(
        name="hunarmitra-storage",
        rules=(*_redis(parameters), *_postgresql(parameters), *_outbox(parameters)),
    )


def _redis(parameters: Parameters) -> Iterator[Alert]:
    select, window = parameters.select, parameters.window
    connected, heard = "hunarmitra_ws_subscriber_connected", "hunarmitra_ws_subscriber_heard_timestamp_seconds"
    silence = parameters.age("15s")
    failures = select("hunarmitra_publish_failures_total")
    taken = select("hunarmitra_publish_messages_total", backend="~channel_layer|redis")
    yield Alert(
        name=REDIS_AWAY,
        expr=(
            f"max by (namespace) ({select(connected)}) == 0\n"
            f"or time() - max by (namespace) ({select(heard)}) > {silence}\n"
            f"or (sum by (namespace) (rate({failures}[{window('1m')}])) > 0\n"
            f"    unless sum by (namespace) (rate({taken}[{window('1m')}])) > 0)"
        ),
        wait="30s",
        hold="1m",
        severity=Severity.CRITICAL,
        summary="Redis is away: no process gets a message through it.",
        description=(
            "No ws pod hears its own heartbeat, or no message could be published for a minute. Events still arrive, "
            "up to five seconds late, by the comparison with the database."
        ),
    )
    yield Alert(
        name=SUBSCRIBER_DEAF,
        expr=(
            f"min by (namespace, pod) ({select(connected)}) == 0\n"
            f"or time() - max by (namespace, pod) ({select(heard)}) > {silence}"
        ),
        wait="1m",
        severity=Severity.CRITICAL,
        summary="The ws pod {{ $labels.pod }} hears nothing from Redis.",
        description=(
            "Its subscription is down, or its own heartbeat does not come back, while other pods hear theirs. Events "
            "reach its sockets up to five seconds late, by the comparison with the database."
        ),
        symptom_of=(REDIS_AWAY,),
    )
    reconnects = select("hunarmitra_ws_subscriber_reconnects_total")
    yield Alert(
        name="HunarMitraSubscriberReconnecting",
        expr=f"sum by (namespace, pod) (increase({reconnects}[{window('15m')}])) > 3",
        wait="1m",
        severity=Severity.WARNING,
        summary="The ws pod {{ $labels.pod }} loses its subscription at Redis again and again.",
        description="{{ $value | humanize }} times in fifteen minutes; each time it compares every channel again.",
        symptom_of=(REDIS_AWAY, SUBSCRIBER_DEAF),
        memory="15m",
    )
    messages = "hunarmitra_publish_messages_total"
    logged = f"sum by (namespace) (rate({select(messages, backend='log')}[{window('5m')}]))"
    every = f"sum by (namespace) (rate({select(messages)}[{window('5m')}]))"
    yield Alert(
        name="HunarMitraPublishFailing",
        expr=f"{logged} / {every} > 0.01",
        wait="5m",
        severity=Severity.WARNING,
        summary="Some messages are not published when their transaction commits.",
        description=(
            "Redis did not take {{ $value | humanizePercentage }} of the messages within the publish timeout; the "
            "relay and the comparison bring their events late, and positions among them are lost."
        ),
        symptom_of=(REDIS_AWAY,),
        memory="5m",
    )


def _postgresql(parameters: Parameters) -> Iterator[Alert]:
    select, window = parameters.select, parameters.window
    compared = select("hunarmitra_ws_comparison_success_timestamp_seconds")
    refused = select("hunarmitra_http_database_unavailable_total")
    yield Alert(
        name=POSTGRESQL_AWAY,
        expr=(
            f"time() - max by (namespace) ({compared}) > {parameters.age('30s')}\n"
            f"or sum by (namespace) (rate({refused}[{window('1m')}])) > 0.05"
        ),
        wait="1m",
        severity=Severity.CRITICAL,
        summary="PostgreSQL is away: no joins, no changes.",
        description=(
            "No ws pod could read the database for half a minute, or REST answers 503 for want of it. Open sockets "
            "stay open and silent."
        ),
    )
    yield Alert(
        name="HunarMitraComparisonFailing",
        expr=f"time() - max by (namespace, pod) ({compared}) > {parameters.age('1m')}",
        wait="2m",
        severity=Severity.WARNING,
        summary="The ws pod {{ $labels.pod }} cannot compare its bookings with the database.",
        description=(
            "The last comparison that succeeded was {{ $value | humanizeDuration }} ago. What Redis loses meanwhile "
            "is not noticed on this pod, and nobody can join there."
        ),
        symptom_of=(POSTGRESQL_AWAY,),
    )


def _outbox(parameters: Parameters) -> Iterator[Alert]:
    select = parameters.select
    age = select("hunarmitra_outbox_oldest_unpublished_age_seconds")
    success = select("hunarmitra_relay_last_success_timestamp_seconds")
    yield Alert(
        name=OUTBOX_STUCK,
        expr=f"max by (namespace) ({age}) > {parameters.age('1m')}",
        wait="1m",
        severity=Severity.CRITICAL,
        summary="Committed events are not published, and the relay does not help.",
        description=(
            "The oldest unpublished event is {{ $value | humanizeDuration }} old; the relay takes them at two seconds."
        ),
        symptom_of=(REDIS_AWAY, POSTGRESQL_AWAY),
        memory="1m",
    )
    yield Alert(
        name="HunarMitraRelayNotRunning",
        expr=f"time() - max by (namespace) ({success}) > {parameters.age('1m')}\nor absent({success})",
        wait="2m",
        severity=Severity.WARNING,
        summary="No relay is at work: nobody publishes what a crash leaves behind.",
        description=(
            "No relay has looked at the outbox for a minute, or none is scraped. Events of processes that die between "
            "commit and publish arrive only by the comparison, and the outbox is not measured."
        ),
        symptom_of=(REDIS_AWAY, POSTGRESQL_AWAY),
        memory="1m",
    )
    quarantined = select("hunarmitra_outbox_quarantined_rows")
    yield Alert(
        name="HunarMitraOutboxQuarantined",
        expr=f"sum by (namespace) (max by (namespace, stream) ({quarantined})) > 0",
        wait="1m",
        severity=Severity.WARNING,
        summary="The relay cannot render some committed events, and does not publish them.",
        description=(
            "{{ $value }} events are quarantined: the relay leaves them alone and publishes the others. The log of "
            "the relay names each of them with the error."
        ),
    )
