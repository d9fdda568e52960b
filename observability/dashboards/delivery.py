"""Delivery of events: latency by stage, publishing, recovery and replay."""

from __future__ import annotations

from observability.dashboards.panels import (
    RATE,
    Look,
    Page,
    Panel,
    Query,
    Row,
    Unit,
    per_second,
    quantile,
    quantiles,
    select,
    total,
)

LATENCY = "hunarmitra_event_latency_seconds"
ACKNOWLEDGED = "hunarmitra_ws_acknowledged_latency_seconds"
PUBLISH = "hunarmitra_publish_duration_seconds"
AGE = "hunarmitra_replayed_event_age_seconds"


def _since(timestamp: str, by: str) -> Query:
    return Query(f"time() - max by ({by}) ({select(timestamp)})", f"{{{{{by}}}}}")


PAGE = Page(
    name="delivery",
    title="Event delivery",
    description="Latency of events from the commit to the client, by stage, and how many had to be recovered.",
    rows=(
        Row(
            title="Latency",
            panels=(
                Panel(
                    title="Status events, commit to client",
                    description="The objective: 99.9 % within 500 ms. Counted for each delivery; replayed and "
                    "recovered "
                    "events are below.",
                    unit=Unit.SECONDS,
                    alarm=0.5,
                    queries=tuple(quantiles(LATENCY, 0.5, 0.99, 0.999, stage="commit_to_socket", lane="status")),
                ),
                Panel(
                    title="Status events by stage, 99 %",
                    description="commit_to_published: the process that wrote it. published_to_pod: Redis. "
                    "pod_to_socket: the ws process. Shows which stage is slow when commit_to_socket rises.",
                    unit=Unit.SECONDS,
                    alarm=0.5,
                    queries=(Query(quantile(0.99, LATENCY, "stage", lane="status"), "{{stage}}"),),
                ),
                Panel(
                    title="Locations, commit to client",
                    description="A newer location replaces one that was not sent yet.",
                    unit=Unit.SECONDS,
                    queries=tuple(quantiles(LATENCY, 0.5, 0.99, stage="commit_to_socket", lane="location")),
                ),
                Panel(
                    title="Status events, commit to client: distribution",
                    description="Each column is a moment, each cell the number of deliveries with this latency.",
                    unit=Unit.SECONDS,
                    look=Look.HEATMAP,
                    span=12,
                    queries=(Query(per_second(f"{LATENCY}_bucket", "le", stage="commit_to_socket", lane="status")),),
                ),
                Panel(
                    title="Acknowledged by clients",
                    description="From the commit to the acknowledgement of the client: a round trip over the client's "
                    "network. For a sample of events, and only for clients that answer.",
                    unit=Unit.SECONDS,
                    span=6,
                    queries=tuple(quantiles(ACKNOWLEDGED, 0.5, 0.95, 0.99)),
                ),
                Panel(
                    title="Acknowledgements",
                    description="Requested and received. Clients may ignore the request.",
                    unit=Unit.PER_SECOND,
                    span=6,
                    queries=(
                        Query(per_second("hunarmitra_ws_acks_requested_total"), "asked for"),
                        Query(per_second("hunarmitra_ws_acks_total"), "received"),
                    ),
                ),
            ),
        ),
        Row(
            title="Publishing",
            panels=(
                Panel(
                    title="Messages by backend",
                    description="channel_layer is the usual backend, redis the second; events that only the log took "
                    "arrive through the relay or the comparison.",
                    unit=Unit.MESSAGES,
                    queries=(Query(per_second("hunarmitra_publish_messages_total", "backend"), "{{backend}}"),),
                ),
                Panel(
                    title="Failures to publish",
                    description="Batches that a backend did not take.",
                    unit=Unit.PER_SECOND,
                    queries=(Query(per_second("hunarmitra_publish_failures_total", "backend"), "{{backend}}"),),
                ),
                Panel(
                    title="Time to publish, 99 %",
                    description="How long a request waits for Redis; at most REDIS_PUBLISH_TIMEOUT.",
                    unit=Unit.SECONDS,
                    queries=(Query(quantile(0.99, PUBLISH, "backend"), "{{backend}}"),),
                ),
                Panel(
                    title="Outbox",
                    description="Committed events that are not published yet. A few are normal; the relay takes events "
                    "older than two seconds.",
                    unit=Unit.NUMBER,
                    queries=(
                        Query(
                            f"max by (stream) ({select('hunarmitra_outbox_unpublished_rows')})",
                            "{{stream}}",
                        ),
                    ),
                ),
                Panel(
                    title="Quarantined events",
                    description="Committed events that cannot be rendered. The relay leaves them alone; its log names "
                    "each of them.",
                    unit=Unit.NUMBER,
                    alarm=1,
                    queries=(
                        Query(f"max by (stream) ({select('hunarmitra_outbox_quarantined_rows')})", "{{stream}}"),
                        Query(
                            f"sum(increase({select('hunarmitra_relay_quarantined_total')}[{RATE}]))",
                            "new ones",
                        ),
                    ),
                ),
                Panel(
                    title="Oldest event in the outbox",
                    description="Its age, and the time since the last successful query of a relay.",
                    unit=Unit.SECONDS,
                    alarm=60,
                    queries=(
                        Query(f"max({select('hunarmitra_outbox_oldest_unpublished_age_seconds')})", "oldest event"),
                        Query(
                            f"time() - max({select('hunarmitra_relay_last_success_timestamp_seconds')})",
                            "last query of a relay",
                        ),
                    ),
                ),
                Panel(
                    title="The relay",
                    description="Events that it published because the process that wrote them had not, and failed "
                    "queries.",
                    unit=Unit.PER_SECOND,
                    queries=(
                        Query(per_second("hunarmitra_relay_published_total"), "published"),
                        Query(per_second("hunarmitra_relay_failures_total"), "failures"),
                    ),
                ),
            ),
        ),
        Row(
            title="Subscription and recovery",
            panels=(
                Panel(
                    title="Round trip of the heartbeat",
                    description="From each ws process to itself through Redis.",
                    unit=Unit.SECONDS,
                    queries=(Query(f"max by (pod) ({select('hunarmitra_ws_subscriber_lag_seconds')})", "{{pod}}"),),
                ),
                Panel(
                    title="Silence",
                    description="Seconds since a ws process last heard its own heartbeat. After three it "
                    "subscribes again.",
                    unit=Unit.SECONDS,
                    alarm=15,
                    queries=(_since("hunarmitra_ws_subscriber_heard_timestamp_seconds", "pod"),),
                ),
                Panel(
                    title="Subscriptions",
                    description="Reconnects of subscribers, and how many are subscribed now.",
                    unit=Unit.NUMBER,
                    queries=(
                        Query(per_second("hunarmitra_ws_subscriber_reconnects_total"), "made again per second"),
                        Query(total("hunarmitra_ws_subscriber_connected"), "standing"),
                    ),
                ),
                Panel(
                    title="Refused by Redis",
                    description="What Redis refuses: a subscription, a message, the counting for rate limits, or the "
                    "login.",
                    unit=Unit.PER_SECOND,
                    queries=(
                        Query(per_second("hunarmitra_ws_subscriber_refusals_total", "refused"), "ws: {{refused}}"),
                        Query(per_second("hunarmitra_publish_refusals_total", "refused"), "http, relay: {{refused}}"),
                    ),
                ),
                Panel(
                    title="Unsigned messages",
                    description="Messages on Redis that this installation has not signed: another version, other keys, "
                    "or a forgery. The database was read instead.",
                    unit=Unit.PER_SECOND,
                    queries=(Query(per_second("hunarmitra_ws_messages_unsigned_total", "pod"), "{{pod}}"),),
                ),
                Panel(
                    title="Gaps",
                    description="Channels that were behind the database: found by a gap in the numbers, by the "
                    "comparison "
                    "every five seconds, by the comparison after an interruption, or by an unsigned message.",
                    unit=Unit.PER_SECOND,
                    queries=(Query(per_second("hunarmitra_ws_gaps_total", "found_by"), "{{found_by}}"),),
                ),
                Panel(
                    title="Recovered events",
                    description="Events read from the database because their message was lost, beside events that "
                    "arrived as a message.",
                    unit=Unit.PER_SECOND,
                    queries=(
                        Query(per_second("hunarmitra_ws_events_recovered_total"), "recovered"),
                        Query(per_second(f"{LATENCY}_count", stage="published_to_pod", lane="status"), "by message"),
                    ),
                ),
                Panel(
                    title="Comparison with the database",
                    description="Seconds since it last succeeded, and failures per second.",
                    unit=Unit.SECONDS,
                    alarm=30,
                    queries=(
                        _since("hunarmitra_ws_comparison_success_timestamp_seconds", "pod"),
                        Query(per_second("hunarmitra_ws_comparison_failures_total"), "failures per second"),
                    ),
                ),
            ),
        ),
        Row(
            title="Reconnecting clients",
            panels=(
                Panel(
                    title="Resumes",
                    description="Result of `since`: the events after it, resync_required, or nothing (no `since`).",
                    unit=Unit.PER_SECOND,
                    queries=(Query(per_second("hunarmitra_ws_resumes_total", "outcome"), "{{outcome}}"),),
                ),
                Panel(
                    title="Events replayed to one connection",
                    description="How many events a reconnecting client had missed.",
                    unit=Unit.NUMBER,
                    queries=tuple(quantiles("hunarmitra_ws_resumed_events", 0.5, 0.95)),
                ),
                Panel(
                    title="Age of replayed and recovered events",
                    description="How old they were when they reached their client: mostly the time that clients were "
                    "offline.",
                    unit=Unit.SECONDS,
                    alarm=300,
                    queries=tuple(quantiles(AGE, 0.5, 0.95)),
                ),
                Panel(
                    title="Clock skew",
                    description="Messages that seem to have arrived before they were sent. Their latency counts as 0.",
                    unit=Unit.MESSAGES,
                    queries=(Query(per_second("hunarmitra_event_clock_skew_total"), "messages"),),
                ),
            ),
        ),
    ),
)
