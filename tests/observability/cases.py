"""When each alert fires, when it does not yet, and when it no longer does; at production's windows.

The times: a fault begins at ten minutes unless it says otherwise.
"""

from __future__ import annotations

from tests.observability.courses import NONE, burst, interrupted, silent
from tests.observability.promtool import (
    LATENCY,
    MESSAGE,
    SOCKET,
    WS_PODS,
    Case,
    Values,
    http,
    relay,
    rising,
    steady,
    then,
    up,
    ws,
)
from tests.observability.scaler_cases import SCALER_CASES

REDIS_AWAY = "HunarMitraRedisAway"
REDIS_REFUSES = "HunarMitraRedisRefuses"
DEAF = "HunarMitraSubscriberDeaf"
POSTGRESQL_AWAY = "HunarMitraPostgreSQLAway"
READ_ONLY = "HunarMitraPostgreSQLReadOnly"


def _partial(share: float) -> dict[str, Values]:
    """Status events of which ``share`` are later than 500 ms, from the start."""
    return {ws(f"{LATENCY}_bucket", pod, **SOCKET, le="0.5"): rising(60 * (1 - share)) for pod in WS_PODS}


HEALTHY = Case("nothing is wrong", {}, {"1m": NONE, "10m": NONE, "1h": NONE})

CASES = (
    Case(
        "Redis is away for twenty minutes; every pod is deaf and only Redis pages",
        {
            **{ws("ws_subscriber_connected", pod): interrupted(1, 0, "20m") for pod in WS_PODS},
            **{ws("ws_subscriber_heard_timestamp_seconds", pod): silent("20m") for pod in WS_PODS},
        },
        {
            "10m15s": NONE,
            "10m45s": [REDIS_AWAY],
            "20m": [REDIS_AWAY],
            "31m": NONE,
        },
    ),
    Case(
        "Redis is away, which one pod sees before and after the others",
        {
            ws("ws_subscriber_connected", "ws-0"): then(("9m", 1, 0), ("14m", 0, 0), ("", 1, 0)),
            **{ws("ws_subscriber_connected", pod): interrupted(1, 0, "12m") for pod in WS_PODS if pod != "ws-0"},
        },
        {"10m15s": NONE, "11m": [REDIS_AWAY], "22m30s": [REDIS_AWAY], "23m30s": NONE, "25m": NONE},
    ),
    Case(
        "Redis was away, and one pod stays deaf",
        {
            ws("ws_subscriber_connected", "ws-0"): interrupted(1, 0, "20m"),
            **{ws("ws_subscriber_connected", pod): interrupted(1, 0, "5m") for pod in WS_PODS if pod != "ws-0"},
        },
        {"14m": [REDIS_AWAY], "17m30s": NONE, "19m": [DEAF], "31m": NONE},
    ),
    Case(
        "no message can be published, though the pods hear each other",
        {
            http("publish_messages_total", backend="channel_layer"): then(
                ("10m", 0, 60), ("20m", 600, 0), ("3h", 600, 60)
            ),
            http("publish_failures_total", backend="channel_layer"): burst(10, "20m"),
        },
        {"11m": NONE, "13m": [REDIS_AWAY], "25m": [REDIS_AWAY], "33m": NONE},
    ),
    Case(
        "Redis refuses every pod's subscription; only the refusal pages",
        {
            **{ws("ws_subscriber_connected", pod): interrupted(1, 0, "20m") for pod in WS_PODS},
            **{ws("ws_subscriber_refusals_total", pod, refused="subscribe"): burst(12, "20m") for pod in WS_PODS},
        },
        {
            "10m15s": NONE,
            "12m": [REDIS_REFUSES, REDIS_AWAY],  # which is inhibited
            "34m": NONE,
        },
    ),
    Case(
        "Redis refuses what http publishes",
        {http("publish_refusals_total", refused="publish"): burst(12, "20m")},
        {"10m15s": NONE, "12m": [REDIS_REFUSES], "34m": NONE},
    ),
    Case(
        "somebody publishes without a signature for a moment",
        {ws("ws_messages_unsigned_total", "ws-0"): burst(5, "1m")},
        {"12m": NONE, "18m": ["HunarMitraMessagesUnsigned"], "32m": NONE},
    ),
    Case(
        "one publish in ten fails, which is not an outage",
        {http("publish_messages_total", backend="log"): burst(6, "40m")},
        {"12m": NONE, "30m": ["HunarMitraPublishFailing"], "1h": NONE},
    ),
    Case(
        "one pod is deaf",
        {ws("ws_subscriber_heard_timestamp_seconds", "ws-0"): silent("20m")},
        {"11m": NONE, "13m": [DEAF], "31m": NONE},
    ),
    Case(
        "one pod's subscription is down",
        {ws("ws_subscriber_connected", "ws-0"): interrupted(1, 0, "20m")},
        {"10m45s": NONE, "12m": [DEAF], "31m": NONE},
    ),
    Case(
        "one pod subscribes again once a minute",
        {ws("ws_subscriber_reconnects_total", "ws-0"): burst(1, "20m")},
        {"12m": NONE, "20m": ["HunarMitraSubscriberReconnecting"], "1h": NONE},
    ),
    Case(
        "every pod subscribes again because Redis was away, which is not flapping",
        {
            **{ws("ws_subscriber_connected", pod): interrupted(1, 0, "5m") for pod in WS_PODS},
            **{ws("ws_subscriber_heard_timestamp_seconds", pod): silent("5m") for pod in WS_PODS},
            **{ws("ws_subscriber_reconnects_total", pod): burst(4, "5m") for pod in WS_PODS},
        },
        {"14m": [REDIS_AWAY], "16m30s": NONE, "20m": NONE},
    ),
    Case(
        "no pod can read the database",
        {ws("ws_comparison_success_timestamp_seconds", pod): silent("20m") for pod in WS_PODS},
        {
            "10m45s": NONE,
            "12m": [POSTGRESQL_AWAY],
            "20m": [POSTGRESQL_AWAY, "HunarMitraComparisonFailing"],
            "31m": NONE,
        },
    ),
    Case(
        "REST has no database",
        {http("http_database_unavailable_total"): burst(20, "20m")},
        {"10m45s": NONE, "13m": [POSTGRESQL_AWAY], "33m": NONE},
    ),
    Case(
        "the database accepts no writes",
        {
            http("database_unwritable", problem="read_only"): interrupted(0, 1, "20m"),
            http("http_database_unavailable_total"): burst(20, "20m"),
        },
        {
            "10m15s": NONE,
            "11m": [READ_ONLY],
            "13m": [READ_ONLY, POSTGRESQL_AWAY],
            "33m": NONE,
        },  # the second is inhibited
    ),
    Case(
        "a failover: the database accepts no writes for a moment",
        {http("database_unwritable", problem="read_only"): interrupted(0, 1, "20s")},
        {"10m15s": NONE, "11m": NONE},
    ),
    Case(
        "one request had no database",
        {http("http_database_unavailable_total"): burst(1, "1m")},
        {"10m45s": NONE, "11m": NONE, "12m": NONE},
    ),
    Case(
        "one pod cannot read the database",
        {ws("ws_comparison_success_timestamp_seconds", "ws-1"): silent("20m")},
        {"12m": NONE, "14m": ["HunarMitraComparisonFailing"], "31m": NONE},
    ),
    Case(
        "an event stays in the outbox",
        {relay("outbox_oldest_unpublished_age_seconds"): then(("10m", 0, 0), ("20m", 0, 60), ("1h", 0, 0))},
        {"11m45s": NONE, "13m": ["HunarMitraOutboxStuck"], "31m": NONE},
    ),
    Case(
        "two events cannot be rendered, until a release can",
        {relay("outbox_quarantined_rows", stream="notifications"): interrupted(0, 2, "20m")},
        {"10m45s": NONE, "12m": ["HunarMitraOutboxQuarantined"], "31m": NONE},
    ),
    Case(
        "the relay hangs",
        {relay("relay_last_success_timestamp_seconds"): silent("20m")},
        {"12m": NONE, "14m": ["HunarMitraRelayNotRunning"], "31m": NONE},
    ),
    Case(
        "there is no relay",
        {},
        {"1m": NONE, "3m": ["HunarMitraRelayNotRunning"]},
        gone=("relay",),
    ),
    Case(
        "all pods are full",
        {ws("ws_connections", pod, kind="booking"): interrupted(1000, 1990, "20m") for pod in WS_PODS},
        {
            "11m": NONE,
            "13m": ["HunarMitraFleetFull"],
            "20m": ["HunarMitraFleetFull", "HunarMitraPodAtCap"],
            "31m": NONE,
        },
    ),
    Case(
        "one pod is full",
        {ws("ws_connections", "ws-0", kind="booking"): interrupted(1000, 2000, "20m")},
        {"14m": NONE, "16m": ["HunarMitraPodAtCap"], "31m": NONE},
    ),
    Case(
        "a full pod that drains is not full",
        {
            ws("ws_connections", "ws-0", kind="booking"): interrupted(1000, 2000, "20m"),
            ws("ws_draining", "ws-0"): interrupted(0, 1, "20m"),
        },
        {"16m": NONE, "25m": NONE},
    ),
    Case(
        "every tenth handshake fails for want of a server's part",
        {ws("ws_handshakes_total", pod, outcome="unavailable"): burst(10, "20m") for pod in WS_PODS},
        {"11m": NONE, "15m": ["HunarMitraHandshakeErrors"], "40m": NONE},
    ),
    Case(
        "four handshakes fail, in an hour in which nobody else connects",
        {
            **{ws("ws_handshakes_total", pod, outcome="joined"): steady(0) for pod in WS_PODS},
            ws("ws_handshakes_total", "ws-0", outcome="unavailable"): burst(4, "1m"),
        },
        {"12m": NONE, "14m": NONE},
    ),
    Case(
        "most handshakes are refused",
        {ws("ws_handshakes_total", pod, outcome="refused"): burst(120, "40m") for pod in WS_PODS},
        {"20m": NONE, "45m": ["HunarMitraHandshakesRefused"], "2h": NONE},
    ),
    Case(
        "a thousand passwords are guessed in ten minutes",
        {
            http("security_events_total", event="sign_in", outcome="rejected"): burst(50, "10m"),
            http("security_events_total", event="admin_sign_in", outcome="limited"): burst(50, "10m"),
            http("security_events_total", event="sign_in", outcome="accepted"): then(("10m", 0, 1), ("", 10, 1)),
        },
        {"9m": NONE, "16m": ["HunarMitraSignInsRefused"], "1h": NONE},
    ),
    Case(
        "in the morning everybody signs in, and some mistype",
        {
            http("security_events_total", event="sign_in", outcome="rejected"): burst(30, "10m"),
            http("security_events_total", event="sign_in", outcome="accepted"): burst(90, "10m"),
        },
        {"16m": NONE, "1h": NONE},
    ),
    Case(
        "ten stolen refresh tokens are used in five minutes",
        {http("security_events_total", event="refresh", outcome="reused"): burst(2, "5m")},
        {"9m": NONE, "16m": ["HunarMitraSessionsReused"], "3h": NONE},
    ),
    Case(
        "an old copy of an app uses three spent tokens",
        {http("security_events_total", event="refresh", outcome="reused"): burst(1, "3m")},
        {"14m": NONE, "1h": NONE},
    ),
    Case(
        "one event loop is half a second late",
        {
            ws("ws_event_loop_delay_seconds_bucket", "ws-0", le="0.01"): then(
                ("10m", 0, 6000), ("20m", 60000, 0), ("2h", 60000, 6000)
            )
        },
        {"14m": NONE, "20m": ["HunarMitraEventLoopStalled"], "40m": NONE},
    ),
    Case(
        "a drain cuts seven people off",
        {ws("ws_drain_cut_off_total", "ws-0"): then(("10m", 0, 0), ("2h", 7, 0))},
        {"9m": NONE, "10m30s": ["HunarMitraDrainCutOff"], "30m": NONE},
    ),
    Case(
        "sixty slow clients in ten minutes",
        {ws("ws_slow_clients_closed_total", "ws-0"): burst(6, "20m")},
        {"14m": NONE, "22m": ["HunarMitraSlowClients"], "1h": NONE},
    ),
    Case(
        "one slow client a minute among two thousand",
        {ws("ws_slow_clients_closed_total", "ws-0"): burst(1, "40m")},
        {"20m": NONE, "40m": NONE},
    ),
    Case(
        "there are no ws pods",
        {},
        {"45s": NONE, "2m": ["HunarMitraWebSocketPodsGone"]},
        gone=('job="hunarmitra-ws"',),
    ),
    Case(
        "there are no http pods",
        {},
        {"45s": NONE, "2m": ["HunarMitraHttpPodsGone"]},
        gone=('job="hunarmitra-http"',),
    ),
    Case(
        "one process answers no scrape",
        {up("ws", "ws-1"): interrupted(1, 0, "20m")},
        {"14m": NONE, "16m": ["HunarMitraTargetDown"], "31m": NONE},
    ),
    Case(
        "clocks differ",
        {ws("event_clock_skew_total", "ws-0"): rising(30)},
        {"20m": NONE, "40m": ["HunarMitraClockSkew"]},
    ),
    Case(
        "half of those that resume are told to start over",
        {ws("ws_resumes_total", pod, outcome="resync"): burst(60, "40m") for pod in WS_PODS},
        {"15m": NONE, "40m": ["HunarMitraResumesRefused"], "2h": NONE},
    ),
    # ── error budgets ──
    Case(
        "two in a hundred events are late",
        _partial(0.02),
        {"3m": NONE, "8m": ["HunarMitraEventLatencyBudgetBurnFast"]},
    ),
    Case(
        "one in a hundred events is late: not that fast, but fast",
        _partial(0.01),
        {
            "10m": NONE,
            "25m": ["HunarMitraEventLatencyBudgetBurnFast"],
            "90m": ["HunarMitraEventLatencyBudgetBurnFast", "HunarMitraEventLatencyBudgetBurnSlow"],
        },
    ),
    Case(
        "four in a thousand events are late, which can wait for the morning",
        _partial(0.004),
        {"50m": NONE, "90m": ["HunarMitraEventLatencyBudgetBurnSlow"]},
    ),
    Case(
        "two in a thousand events are late",
        _partial(0.002),
        {"2h": NONE, "4h": ["HunarMitraEventLatencyBudgetBurnSlow"]},
    ),
    Case("one in two thousand events is late, as the budget has it", _partial(0.0005), {"100m": NONE}),
    Case(
        "events were late for two minutes, and no longer are",
        {
            ws(f"{LATENCY}_bucket", pod, **SOCKET, le="0.5"): then(("10m", 0, 60), ("10m", 600, 0), ("4h", 600, 60))
            for pod in WS_PODS
        },
        {"15m": ["HunarMitraEventLatencyBudgetBurnFast"], "55m": NONE},
    ),
    Case(
        "a few late events at night burn no budget",
        {
            **{ws(f"{LATENCY}_count", pod, **SOCKET): rising(1 / 3) for pod in WS_PODS},
            **{ws(f"{LATENCY}_bucket", pod, **SOCKET, le="0.5"): rising(1 / 3) for pod in WS_PODS},
            ws(f"{LATENCY}_bucket", "ws-0", **SOCKET, le="0.5"): then(
                ("10m", 0, 0.3333), ("20m", 3.3333, 0), ("9h", 3.3333, 0.3333)
            ),
        },
        {"15m": NONE, "30m": NONE, "1h": NONE},
    ),
    Case(
        "two in a hundred events are recovered from the database",
        {
            **{ws("ws_events_recovered_total", pod): rising(1.2) for pod in WS_PODS},
            **{ws(f"{LATENCY}_count", pod, **MESSAGE): rising(58.8) for pod in WS_PODS},
        },
        {"1m": NONE, "10m": ["HunarMitraEventLossBudgetBurnFast"]},
    ),
    Case(
        "four in a thousand events are recovered",
        {ws("ws_events_recovered_total", pod): rising(0.24) for pod in WS_PODS},
        {"50m": NONE, "2h": ["HunarMitraEventLossBudgetBurnSlow"]},
    ),
    Case(
        "one in two thousand events is recovered, as the budget has it",
        {ws("ws_events_recovered_total", pod): rising(0.03) for pod in WS_PODS},
        {"100m": NONE},
    ),
    Case(
        "a quarter of replayed events is old",
        {ws("replayed_event_age_seconds_bucket", pod, le="300.0"): rising(45) for pod in WS_PODS},
        {"30m": NONE, "2h": ["HunarMitraReplayedEventsBudgetBurnSlow"]},
    ),
    Case(
        "two in a hundred requests fail",
        {http("http_requests_total", status="5xx"): rising(12)},
        {"1m": NONE, "5m": ["HunarMitraRestErrorsBudgetBurnFast"]},
    ),
    Case(
        "four in a thousand requests fail",
        {http("http_requests_total", status="5xx"): rising(2.4)},
        {"50m": NONE, "90m": ["HunarMitraRestErrorsBudgetBurnSlow"]},
    ),
    Case(
        "the database is away; after it is back nobody is woken for the budget of REST",
        {
            http("http_requests_total", status="5xx"): burst(300, "8m"),
            http("http_database_unavailable_total"): burst(300, "8m"),
            **{ws("ws_comparison_success_timestamp_seconds", pod): silent("8m") for pod in WS_PODS},
        },
        {
            "10m45s": NONE,
            "17m": [POSTGRESQL_AWAY, "HunarMitraComparisonFailing"],
            "20m": NONE,
            "35m": NONE,
            "47m": NONE,
        },
    ),
    Case(
        "a fifth of requests is slow",
        {http("http_request_duration_seconds_bucket", le="1.0"): rising(480)},
        {"1m": NONE, "5m": ["HunarMitraRestLatencyBudgetBurnFast"]},
    ),
    Case(
        "four in a hundred requests are slow",
        {http("http_request_duration_seconds_bucket", le="1.0"): rising(576)},
        {"50m": NONE, "90m": ["HunarMitraRestLatencyBudgetBurnSlow"]},
    ),
    *SCALER_CASES,
)
