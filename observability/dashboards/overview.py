"""The overview: the state of the system on one screen."""

from __future__ import annotations

from observability.alerts.sockets import CONNECTIONS, FILL
from observability.dashboards.panels import (
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
from observability.objectives import RATIO, TARGET

LATENCY = "hunarmitra_event_latency_seconds"

PAGE = Page(
    name="overview",
    title="Overview",
    description="Delivery, load, and what needs attention.",
    rows=(
        Row(
            title="Now",
            panels=(
                Panel(
                    title="Status events on time",
                    description="Share of status events of the last hour that reached their client within 500 ms of "
                    "the "
                    "commit. The objective is 99.9 %.",
                    unit=Unit.RATIO,
                    decimals=3,
                    look=Look.STAT,
                    span=4,
                    queries=(Query(f"1 - max({select(f'{RATIO}1h', slo='event_latency')})"),),
                ),
                Panel(
                    title="Latency, 99 %",
                    description="From the commit to the client: 99 of 100 status events were faster.",
                    unit=Unit.SECONDS,
                    alarm=0.5,
                    look=Look.STAT,
                    span=4,
                    queries=(Query(quantile(0.99, LATENCY, stage="commit_to_socket", lane="status")),),
                ),
                Panel(
                    title="Open connections",
                    description="Of all ws pods and kinds.",
                    unit=Unit.NUMBER,
                    look=Look.STAT,
                    span=4,
                    queries=(Query(f"sum({select(CONNECTIONS)})"),),
                ),
                Panel(
                    title="Deliveries",
                    description="Status events and locations handed to connections.",
                    unit=Unit.PER_SECOND,
                    look=Look.STAT,
                    span=4,
                    queries=(Query(per_second("hunarmitra_ws_deliveries_total")),),
                ),
                Panel(
                    title="REST requests",
                    description="Answered, of any status.",
                    unit=Unit.REQUESTS,
                    look=Look.STAT,
                    span=4,
                    queries=(Query(per_second("hunarmitra_http_requests_total")),),
                ),
                Panel(
                    title="REST errors",
                    description="Share of requests of the last hour that were answered with a 5xx.",
                    unit=Unit.RATIO,
                    decimals=3,
                    alarm=0.001,
                    look=Look.STAT,
                    span=4,
                    queries=(Query(f"max({select(f'{RATIO}1h', slo='rest_errors')})"),),
                ),
            ),
        ),
        Row(
            title="Objectives",
            panels=(
                Panel(
                    title="Burn rates, 1 h",
                    description="How many times faster than allowed each error budget is used. At 14.4 an alert pages "
                    "somebody.",
                    unit=Unit.NUMBER,
                    alarm=14.4,
                    span=12,
                    queries=(
                        Query(
                            f"max by (slo) ({select(f'{RATIO}1h')}) / on (slo) (1 - {TARGET})",
                            "{{slo}}",
                        ),
                    ),
                ),
                Panel(
                    title="Burn rates, 3 d",
                    description="The same over three days. Above 1, the budget does not last thirty days.",
                    unit=Unit.NUMBER,
                    alarm=1,
                    span=12,
                    queries=(
                        Query(
                            f"max by (slo) ({select(f'{RATIO}3d')}) / on (slo) (1 - {TARGET})",
                            "{{slo}}",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            title="Components",
            panels=(
                Panel(
                    title="Dependencies",
                    description="1 while it works: the subscription at Redis of every ws pod, a comparison with "
                    "PostgreSQL within the last minute, a query of a relay within the last minute.",
                    unit=Unit.NUMBER,
                    queries=(
                        Query(f"min({select('hunarmitra_ws_subscriber_connected')})", "Redis"),
                        Query(
                            "time() - min("
                            + select("hunarmitra_ws_comparison_success_timestamp_seconds")
                            + ") < bool 60",
                            "PostgreSQL",
                        ),
                        Query(
                            "time() - max(" + select("hunarmitra_relay_last_success_timestamp_seconds") + ") < bool 60",
                            "relay",
                        ),
                    ),
                ),
                Panel(
                    title="Used capacity of the fullest ws pod",
                    description="Share of its connection limit; above 98 % it rejects clients.",
                    unit=Unit.RATIO,
                    alarm=0.98,
                    queries=(Query(f"max({select(FILL)})", "fullest pod"),),
                ),
                Panel(
                    title="REST latency",
                    description="From a request's arrival in Django to its response.",
                    unit=Unit.SECONDS,
                    alarm=1,
                    queries=tuple(quantiles("hunarmitra_http_request_duration_seconds", 0.5, 0.99)),
                ),
                Panel(
                    title="CPU",
                    description="CPU cores in use, by job. gunicorn processes do not report theirs.",
                    unit=Unit.CPUS,
                    queries=(Query(per_second("process_cpu_seconds_total", "job", job="~hunarmitra.*"), "{{job}}"),),
                ),
                Panel(
                    title="Memory",
                    description="Resident memory, by job. gunicorn processes do not report theirs.",
                    unit=Unit.BYTES,
                    queries=(Query(total("process_resident_memory_bytes", "job", job="~hunarmitra.*"), "{{job}}"),),
                ),
                Panel(
                    title="Scraped processes",
                    description="How many answer Prometheus, by job.",
                    unit=Unit.NUMBER,
                    queries=(Query(total("up", "job", job="~hunarmitra.*"), "{{job}}"),),
                ),
            ),
        ),
    ),
)
