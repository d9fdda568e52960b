"""The catalogue of metrics of the http, ws and relay processes: name, meaning and labels of each.

Processes create their metrics from it, ``docs/metrics.md`` is generated from it, and alerts and dashboards are checked
against it. The values of each label are fixed: a client cannot create a series, and every series exists from the start,
at zero. Imports no framework.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hunarmitra.telemetry.labels import (
    AGE_SECONDS,
    BACKENDS,
    CHANNEL_KINDS,
    CLOSE_CODES,
    CONNECTION_KINDS,
    CUT_REASONS,
    DATABASE_PROBLEMS,
    EVENT_SECONDS,
    EVENTS,
    GAP_FINDERS,
    HANDSHAKE_OUTCOMES,
    HANDSHAKE_SECONDS,
    HTTP_CONNECTION_STATES,
    LANES,
    LOOP_SECONDS,
    METHODS,
    OUTBOX_STREAMS,
    PUBLISH_SECONDS,
    PUBLISHER_REFUSALS,
    RATE_LIMITS,
    REMOTE_BACKENDS,
    REQUEST_SECONDS,
    RESPONSE_CODES,
    RESUME_OUTCOMES,
    ROUTES,
    SECURITY_OUTCOMES,
    SERVED,
    SOCKET_KINDS,
    STATUS_CLASSES,
    SUBSCRIBER_REFUSALS,
    UNAUTHENTICATED_CUT_REASONS,
)
from hunarmitra.telemetry.metric import Kind, Metric, Process, counter, gauge, histogram

__all__ = ["CATALOGUE", "Kind", "Metric", "Process", "metrics_of"]

_HTTP: Final = frozenset({Process.HTTP})
_WS: Final = frozenset({Process.WS})
_RELAY: Final = frozenset({Process.RELAY})
_PUBLISHERS: Final = frozenset({Process.HTTP, Process.RELAY})


# REST
HTTP_REQUESTS: Final = counter(
    "http_requests",
    "REST requests answered, by method, route and status class.",
    _HTTP,
    {"method": METHODS, "route": tuple(ROUTES), "status": STATUS_CLASSES},
    tuple((method, route, status) for method, route in SERVED for status in STATUS_CLASSES),
)
HTTP_RESPONSES: Final = counter(
    "http_responses", "REST requests answered, by status code.", _HTTP, {"code": RESPONSE_CODES}
)
HTTP_DURATION: Final = histogram(
    "http_request_duration_seconds",
    "Seconds from a request's arrival in Django to its response.",
    _HTTP,
    REQUEST_SECONDS,
    {"method": METHODS, "route": tuple(ROUTES)},
    series=SERVED,
)
HTTP_IN_PROGRESS: Final = gauge("http_requests_in_progress", "REST requests being answered now.", _HTTP)
HTTP_RATE_LIMITED: Final = counter(
    "http_rate_limited", "REST requests answered with 429, by limit.", _HTTP, {"limit": RATE_LIMITS}
)
HTTP_DATABASE_UNAVAILABLE: Final = counter(
    "http_database_unavailable", "REST requests answered with 503 because the database did not answer.", _HTTP
)
SECURITY_EVENTS: Final = counter(
    "security_events",
    "Security events by outcome, as in the log of hunarmitra.security.",
    _HTTP,
    {
        "event": tuple(SECURITY_OUTCOMES),
        "outcome": tuple(dict.fromkeys(outcome for outcomes in SECURITY_OUTCOMES.values() for outcome in outcomes)),
    },
    tuple((event, outcome) for event, outcomes in SECURITY_OUTCOMES.items() for outcome in outcomes),
)

HTTP_CONNECTIONS: Final = gauge(
    "http_connections",
    "Open connections of the public port, by state: idle (no request), receiving (a part of a request), "
    "waiting (for a thread), serving, sending (the client reads the response slowly).",
    _HTTP,
    {"state": HTTP_CONNECTION_STATES},
)
HTTP_CONNECTIONS_CUT: Final = counter(
    "http_connections_cut",
    "Connections that gunicorn closed because the client was slow, by reason: silent (no byte after the connect), "
    "header, body or response (not sent or read in time), full (made room at a limit).",
    _HTTP,
    {"reason": CUT_REASONS},
)

# Database
DATABASE_UNWRITABLE: Final = gauge(
    "database_unwritable",
    "Processes that cannot write to the database, by what they last found: read_only (the server accepts no writes: a "
    "standby, or an old primary), no_slot (the server has too many connections), unreachable.",
    frozenset(Process),
    {"problem": DATABASE_PROBLEMS},
)

# Publishing
PUBLISH_MESSAGES: Final = counter(
    "publish_messages",
    "Messages published, by the backend that took them. `log` took those that no other backend took: clients get their "
    "events later, through the relay or the comparison.",
    _PUBLISHERS,
    {"backend": BACKENDS},
)
PUBLISH_FAILURES: Final = counter(
    "publish_failures", "Batches that a backend did not take.", _PUBLISHERS, {"backend": REMOTE_BACKENDS}
)
PUBLISH_REFUSALS: Final = counter(
    "publish_refusals",
    "Batches, and counts of the rate `limit`, that Redis refused because the user of REDIS_URL may not do it, or "
    "because its password is wrong.",
    _PUBLISHERS,
    {"refused": PUBLISHER_REFUSALS},
)
PUBLISH_DURATION: Final = histogram(
    "publish_duration_seconds",
    "Duration of publishing a batch, in seconds, successful or not.",
    _PUBLISHERS,
    PUBLISH_SECONDS,
    {"backend": REMOTE_BACKENDS},
)

# Relay and outbox
OUTBOX_ROWS: Final = gauge(
    "outbox_unpublished_rows",
    "Committed events that are not published yet, counted up to 10,000.",
    _RELAY,
    {"stream": OUTBOX_STREAMS},
)
OUTBOX_AGE: Final = gauge(
    "outbox_oldest_unpublished_age_seconds",
    "Seconds since the oldest unpublished event was written; 0 when there is none.",
    _RELAY,
    unit="seconds",
)
OUTBOX_QUARANTINED: Final = gauge(
    "outbox_quarantined_rows",
    "Committed events that cannot be rendered and that the relay therefore leaves alone, counted up to 10,000.",
    _RELAY,
    {"stream": OUTBOX_STREAMS},
)
RELAY_PUBLISHED: Final = counter(
    "relay_published", "Events that the relay published because the process that wrote them had not.", _RELAY
)
RELAY_QUARANTINED: Final = counter(
    "relay_quarantined", "Events that the relay quarantined because they cannot be rendered.", _RELAY
)
RELAY_FAILURES: Final = counter(
    "relay_failures",
    "Queries of the relay that failed: the database did not answer, or no backend took the events.",
    _RELAY,
)
RELAY_LAST_SUCCESS: Final = gauge(
    "relay_last_success_timestamp_seconds",
    "Unix time of the last query of the relay that did not fail.",
    _RELAY,
    unit="seconds",
)

# Latency
PUBLISHER_STAGE: Final = "commit_to_published"
SOCKET_STAGES: Final = ("published_to_pod", "pod_to_socket", "commit_to_socket")
EVENT_LATENCY: Final = histogram(
    "event_latency_seconds",
    "Latency of events in seconds, by stage. The publisher observes commit_to_published, once for each message. Ws "
    "pods "
    "observe published_to_pod once for each message, pod_to_socket and commit_to_socket once for each delivery.",
    frozenset(Process),
    EVENT_SECONDS,
    {"stage": (PUBLISHER_STAGE, *SOCKET_STAGES), "lane": LANES},
)
EVENT_CLOCK_SKEW: Final = counter(
    "event_clock_skew",
    "Messages that seem to have arrived before they were sent, because the clocks of two machines differ. Their "
    "latency counts as 0.",
    _WS,
)
REPLAYED_AGE: Final = histogram(
    "replayed_event_age_seconds",
    "Seconds from the commit of an event to its delivery, for events that were read from the database: replayed after "
    "`since`, or recovered.",
    _WS,
    AGE_SECONDS,
)

# Connections
WS_CONNECTIONS: Final = gauge(
    "ws_connections",
    "Open connections, by kind: those of one channel, those of `/ws/` (`shared`), and those that have not received "
    "their first frame (`joining`).",
    _WS,
    {"kind": CONNECTION_KINDS},
)
WS_CONNECTIONS_LIMIT: Final = gauge(
    "ws_connections_limit",
    "Connection limit of this process (WS_MAX_CONNECTIONS); +Inf on a server without a limit.",
    _WS,
)
WS_UNAUTHENTICATED: Final = gauge(
    "ws_unauthenticated_connections",
    "Open TCP connections whose client has not shown a valid token yet; where the process serves REST too, also those "
    "of requests. Always 0 on stock daphne and uvicorn.",
    _WS,
)
WS_CONNECTIONS_CUT: Final = counter(
    "ws_connections_cut",
    "TCP connections that the server closed to protect itself, by reason: late (no complete request in time), address "
    "(many of one address without a valid token), full (many without a valid token, or being closed).",
    _WS,
    {"reason": UNAUTHENTICATED_CUT_REASONS},
)
WS_SUBSCRIPTIONS: Final = gauge(
    "ws_subscriptions",
    "Subscriptions, by kind of channel. A connection of `/ws/` may have many, each other connection has one.",
    _WS,
    {"channel": CHANNEL_KINDS},
)
WS_CONNECTS: Final = counter("ws_connects", "Connections that went live, by kind.", _WS, {"kind": SOCKET_KINDS})
WS_HANDSHAKES: Final = counter(
    "ws_handshakes",
    "Handshakes, by outcome: joined; refused (origin, credentials, rights, limits of one user or address); flooded (a "
    "session that sent too many frames came back too early); full and reconnect (cap, drain, admission rate); "
    "unavailable (database or Redis away); abandoned (the client left, or the server failed).",
    _WS,
    {"outcome": HANDSHAKE_OUTCOMES},
)
WS_HANDSHAKE_DURATION: Final = histogram(
    "ws_handshake_duration_seconds",
    "Seconds from the application's start to the first frame, of connections that joined.",
    _WS,
    HANDSHAKE_SECONDS,
)
WS_CLOSES: Final = counter("ws_closes", "Closed connections, by close code.", _WS, {"code": CLOSE_CODES})
WS_DELIVERIES: Final = counter("ws_deliveries", "Events handed to connections, by lane.", _WS, {"lane": LANES})
WS_RESUMES: Final = counter(
    "ws_resumes",
    "Connects, by result of `since`: replayed (the events after it), resync (resync_required), fresh (no `since`).",
    _WS,
    {"outcome": RESUME_OUTCOMES},
)
WS_RESUMED_EVENTS: Final = histogram(
    "ws_resumed_events", "Events replayed to one connection that resumed.", _WS, EVENTS, unit="events"
)
WS_LOCATIONS_CONFLATED: Final = counter(
    "ws_locations_conflated", "Locations that a newer one replaced before they were written.", _WS
)
WS_SEND_BUFFER: Final = gauge(
    "ws_send_buffer_bytes", "Bytes that wait for the clients of this process, in total.", _WS, unit="bytes"
)
WS_SLOW_CLIENTS: Final = counter("ws_slow_clients_closed", "Connections closed 4008 because they read too slowly.", _WS)
WS_GROUPS: Final = gauge("ws_groups", "Channels (bookings and users) with a subscription in this process.", _WS)

# The hub
WS_SUBSCRIBER_CONNECTED: Final = gauge(
    "ws_subscriber_connected", "1 while this process is subscribed at Redis (always 1 without Redis).", _WS
)
WS_SUBSCRIBER_RECONNECTS: Final = counter(
    "ws_subscriber_reconnects", "Subscriptions made again after an interruption.", _WS
)
WS_SUBSCRIBER_LAG: Final = gauge(
    "ws_subscriber_lag_seconds", "Round trip of the last heartbeat through Redis.", _WS, unit="seconds"
)
WS_SUBSCRIBER_HEARD: Final = gauge(
    "ws_subscriber_heard_timestamp_seconds",
    "Unix time at which the heartbeat of this process last came back from Redis (now, without Redis).",
    _WS,
    unit="seconds",
)
WS_SUBSCRIBER_REFUSALS: Final = counter(
    "ws_subscriber_refusals",
    "Attempts that Redis refused because the user of REDIS_URL may not do it, or because its password is wrong.",
    _WS,
    {"refused": SUBSCRIBER_REFUSALS},
)
WS_MESSAGES_UNSIGNED: Final = counter(
    "ws_messages_unsigned",
    "Messages on Redis that no process of this installation has signed. The database was read instead.",
    _WS,
)
WS_GAPS: Final = counter(
    "ws_gaps",
    "Channels that were behind the database, by what found them: a gap in the numbers, the regular comparison, the "
    "comparison after an interrupted subscription, or an unsigned message.",
    _WS,
    {"found_by": GAP_FINDERS},
)
WS_EVENTS_RECOVERED: Final = counter(
    "ws_events_recovered", "Events that were recovered: read from the database because their message was lost.", _WS
)
WS_COMPARISON_FAILURES: Final = counter(
    "ws_comparison_failures", "Comparisons that failed because the database did not answer.", _WS
)
WS_COMPARISON_SUCCESS: Final = gauge(
    "ws_comparison_success_timestamp_seconds",
    "Unix time of the last comparison that did not fail.",
    _WS,
    unit="seconds",
)
WS_LOOP_DELAY: Final = histogram(
    "ws_event_loop_delay_seconds", "Seconds by which the event loop was late for a timer.", _WS, LOOP_SECONDS
)

# Drain
WS_DRAINING: Final = gauge("ws_draining", "1 while this process drains.", _WS)
WS_DRAIN_MOVED: Final = counter("ws_drain_moved", "Connections that a drain or a rebalance moved to other pods.", _WS)
WS_DRAIN_CUT_OFF: Final = counter("ws_drain_cut_off", "Connections still open when a drain's grace ended.", _WS)

# Acknowledgements
WS_ACKS_REQUESTED: Final = counter("ws_acks_requested", "Deliveries that asked the client for an acknowledgement.", _WS)
WS_ACKS: Final = counter("ws_acks", "Acknowledgements that were asked for and received.", _WS)
WS_ACKNOWLEDGED_LATENCY: Final = histogram(
    "ws_acknowledged_latency_seconds",
    "Seconds from the commit of an event to the acknowledgement of its client: a round trip.",
    _WS,
    EVENT_SECONDS,
)

CATALOGUE: Final[tuple[Metric, ...]] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""Every metric, in the order of this module."""


def metrics_of(processes: frozenset[Process]) -> Iterator[Metric]:
    """What a process shows that does all of ``processes``."""
    return (metric for metric in CATALOGUE if metric.processes & processes)
