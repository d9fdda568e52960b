"""Alerts on Redis, PostgreSQL, the subscriber and the outbox: the causes of most other alerts."""

from __future__ import annotations

from collections.abc import Iterator

from observability.alerts.names import (
    OUTBOX_STUCK,
    POSTGRESQL_AWAY,
    POSTGRESQL_READ_ONLY,
    REDIS_AWAY,
    REDIS_REFUSES,
    SUBSCRIBER_DEAF,
)
from observability.model import Alert, Group, Severity
from observability.parameters import Parameters


def groups(parameters: Parameters) -> Iterator[Group]:
    yield Group(
        name="hunarmitra-storage",
        rules=(*_redis(parameters), *_trust(parameters), *_postgresql(parameters), *_outbox(parameters)),
    )


def _redis(parameters: Parameters) -> Iterator[Alert]:
    select, window = parameters.select, parameters.window
    connected, heard = "hunarmitra_ws_subscriber_connected", "hunarmitra_ws_subscriber_heard_timestamp_seconds"
    silence = parameters.age("15s")
    failures = select("hunarmitra_publish_failures_total")
    taken = select("hunarmitra_publish_messages_total", backend="~channel_layer|redis")
    no_pod_hears = (
        f"max by (namespace) ({select(connected)}) == 0\nor time() - max by (namespace) ({select(heard)}) > {silence}"
    )
    yield Alert(
        name=REDIS_AWAY,
        expr=(
            f"{no_pod_hears}\n"
            f"or (sum by (namespace) (rate({failures}[{window('1m')}])) > 0\n"
            f"    unless sum by (namespace) (rate({taken}[{window('1m')}])) > 0)"
        ),
        wait="30s",
        hold="1m",
        severity=Severity.CRITICAL,
        summary="Redis is away: no messages are delivered through it.",
        description=(
            "No ws pod receives its heartbeat, or no message could be published for a minute. Events still arrive, "
            "up to "
            "five seconds late, through the comparison with the database."
        ),
        symptom_of=(REDIS_REFUSES,),
    )
    yield Alert(
        name=SUBSCRIBER_DEAF,
        expr=(
            f"(min by (namespace, pod) ({select(connected)}) == 0\n"
            f"or time() - max by (namespace, pod) ({select(heard)}) > {silence})\n"
            f"unless on (namespace) ({no_pod_hears})"
        ),
        wait="1m",
        severity=Severity.CRITICAL,
        summary="The ws pod {{ $labels.pod }} receives nothing from Redis.",
        description=(
            "Its subscription is down, or its heartbeat does not come back, while other pods receive theirs. Its "
            "clients get "
            "events up to five seconds late, through the comparison with the database."
        ),
        symptom_of=(REDIS_AWAY, REDIS_REFUSES),
        memory="1m",
    )
    reconnects = select("hunarmitra_ws_subscriber_reconnects_total")
    yield Alert(
        name="HunarMitraSubscriberReconnecting",
        expr=f"sum by (namespace, pod) (increase({reconnects}[{window('15m')}])) > 3",
        wait="1m",
        severity=Severity.WARNING,
        summary="The ws pod {{ $labels.pod }} loses its subscription at Redis repeatedly.",
        description="{{ $value | humanize }} times in fifteen minutes; each time it compares every channel again.",
        symptom_of=(REDIS_AWAY, REDIS_REFUSES, SUBSCRIBER_DEAF),
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
            "Redis did not take {{ $value | humanizePercentage }} of the messages within the publish timeout. "
            "Clients get "
            "these events late, through the relay or the comparison; locations among them are lost."
        ),
        symptom_of=(REDIS_AWAY, REDIS_REFUSES),
        memory="5m",
    )


def _trust(parameters: Parameters) -> Iterator[Alert]:
    select, window = parameters.select, parameters.window
    refusals = ("hunarmitra_ws_subscriber_refusals_total", "hunarmitra_publish_refusals_total")
    yield Alert(
        name=REDIS_REFUSES,
        expr="\nor ".join(
            f"sum by (namespace, refused) (increase({select(name)}[{window('2m')}])) > 0" for name in refusals
        ),
        wait="30s",
        severity=Severity.CRITICAL,
        summary="Redis answers, and refuses our processes: {{ $labels.refused }}.",
        description=(
            "The user of REDIS_URL lacks a permission (`subscribe`, `publish`, `limit`), or its password is wrong "
            "(`login`). "
            "The log of the process names the missing permission. Events arrive up to five seconds late, through the "
            "comparison with the database."
        ),
    )
    unsigned = select("hunarmitra_ws_messages_unsigned_total")
    yield Alert(
        name="HunarMitraMessagesUnsigned",
        expr=f"sum by (namespace) (increase({unsigned}[{window('15m')}])) > 0",
        wait="5m",
        severity=Severity.WARNING,
        summary="Somebody publishes messages on Redis that this installation has not signed.",
        description=(
            "{{ $value | humanize }} messages in fifteen minutes. A process has another version or other keys, or "
            "somebody else may publish on Redis. Nothing of these messages was delivered; the database was read."
        ),
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
        summary="PostgreSQL is away: clients cannot connect, and nothing can be changed.",
        description=(
            "No ws pod could read the database for half a minute, or REST answers with 503 because of it. Open "
            "connections "
            "stay open and receive no events."
        ),
        symptom_of=(POSTGRESQL_READ_ONLY,),
    )
    unwritable = select("hunarmitra_database_unwritable", problem="read_only")
    yield Alert(
        name=POSTGRESQL_READ_ONLY,
        expr=f"sum by (namespace) ({unwritable}) > 0",
        wait="30s",
        severity=Severity.CRITICAL,
        summary="Processes reach only a PostgreSQL server that accepts no writes.",
        description=(
            "{{ $value }} processes found a standby, or a primary that was replaced, at every host of DATABASE_URL. "
            "Nothing can be changed: REST answers writes with 503."
        ),
    )
    yield Alert(
        name="HunarMitraComparisonFailing",
        expr=f"time() - max by (namespace, pod) ({compared}) > {parameters.age('1m')}",
        wait="2m",
        severity=Severity.WARNING,
        summary="The ws pod {{ $labels.pod }} cannot compare its bookings with the database.",
        description=(
            "The last successful comparison was {{ $value | humanizeDuration }} ago. Until the next one, this pod "
            "does not "
            "notice lost messages, and clients cannot connect to it."
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
        summary="Committed events are not published, not even by the relay.",
        description=(
            "The oldest unpublished event is {{ $value | humanizeDuration }} old; the relay publishes events older "
            "than "
            "two seconds."
        ),
        symptom_of=(REDIS_AWAY, REDIS_REFUSES, POSTGRESQL_AWAY),
        memory="1m",
    )
    yield Alert(
        name="HunarMitraRelayNotRunning",
        expr=f"time() - max by (namespace) ({success}) > {parameters.age('1m')}\nor absent({success})",
        wait="2m",
        severity=Severity.WARNING,
        summary="No relay runs: events of a crashed process are not published.",
        description=(
            "No relay has read the outbox for a minute, or none is scraped. Events of a process that crashes between "
            "commit "
            "and publish arrive only through the comparison, and the outbox is not measured."
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
