"""REST: rate, errors and duration, by route."""

from __future__ import annotations

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
    total,
)

REQUESTS = "hunarmitra_http_requests_total"
DURATION = "hunarmitra_http_request_duration_seconds"

PAGE = Page(
    name="rest",
    title="REST",
    description="Requests, errors and duration of the http pods, by route.",
    rows=(
        Row(
            title="Requests",
            panels=(
                Panel(
                    title="Requests by status",
                    description="By class of the status.",
                    unit=Unit.REQUESTS,
                    look=Look.STACKED,
                    queries=(Query(per_second(REQUESTS, "status"), "{{status}}"),),
                ),
                Panel(
                    title="Requests by route",
                    description="Routes as the URL patterns spell them; paths that match none are one route.",
                    unit=Unit.REQUESTS,
                    queries=(Query(f"topk(10, {per_second(REQUESTS, 'method', 'route')})", "{{method}} {{route}}"),),
                ),
                Panel(
                    title="Requests in progress",
                    description="Requests in progress in all processes; at most pods × workers × threads.",
                    unit=Unit.NUMBER,
                    queries=(Query(total("hunarmitra_http_requests_in_progress"), "requests"),),
                ),
            ),
        ),
        Row(
            title="Errors",
            panels=(
                Panel(
                    title="Server errors by route",
                    description="Share of a route's requests that were answered with a 5xx.",
                    unit=Unit.RATIO,
                    alarm=0.001,
                    queries=(
                        Query(
                            f"topk(10, {per_second(REQUESTS, 'method', 'route', status='5xx')}"
                            f" / ({per_second(REQUESTS, 'method', 'route')} > 0))",
                            "{{method}} {{route}}",
                        ),
                    ),
                ),
                Panel(
                    title="Responses by code",
                    description="Each status code that the API uses.",
                    unit=Unit.REQUESTS,
                    queries=(Query(per_second("hunarmitra_http_responses_total", "code"), "{{code}}"),),
                ),
                Panel(
                    title="Rejected by a limit",
                    description="Requests answered with 429, by limit; and requests answered with 503 because the "
                    "database was away.",
                    unit=Unit.REQUESTS,
                    queries=(
                        Query(per_second("hunarmitra_http_rate_limited_total", "limit"), "{{limit}}"),
                        Query(per_second("hunarmitra_http_database_unavailable_total"), "database away"),
                    ),
                ),
                Panel(
                    title="Processes that cannot write to the database",
                    description="By what each last found: a read-only server, no free connection, or no answer.",
                    unit=Unit.NUMBER,
                    queries=(Query(total("hunarmitra_database_unwritable", "problem"), "{{problem}}"),),
                ),
                Panel(
                    title="Security events",
                    description="By outcome, as in the log of hunarmitra.security.",
                    unit=Unit.REQUESTS,
                    queries=(
                        Query(
                            per_second("hunarmitra_security_events_total", "event", "outcome"), "{{event}} {{outcome}}"
                        ),
                    ),
                ),
            ),
        ),
        Row(
            title="Duration",
            panels=(
                Panel(
                    title="All routes",
                    description="From a request's arrival in Django to its response. It does not include the wait "
                    "for a "
                    "free thread of gunicorn.",
                    unit=Unit.SECONDS,
                    alarm=1,
                    queries=tuple(quantiles(DURATION, 0.5, 0.95, 0.99)),
                ),
                Panel(
                    title="Slowest routes, 99 %",
                    description="The ten slowest.",
                    unit=Unit.SECONDS,
                    alarm=1,
                    queries=(
                        Query(f"topk(10, {quantile(0.99, DURATION, 'method', 'route')})", "{{method}} {{route}}"),
                    ),
                ),
                Panel(
                    title="Duration of all requests",
                    description="Each column is a moment, each cell the number of requests with this duration.",
                    unit=Unit.SECONDS,
                    look=Look.HEATMAP,
                    queries=(Query(per_second(f"{DURATION}_bucket", "le")),),
                ),
            ),
        ),
        Row(
            title="Connections",
            panels=(
                Panel(
                    title="Open connections",
                    description="Connections of the public port, by state. Those that wait have sent a complete "
                    "request and need a free thread: more threads, processes or pods help.",
                    unit=Unit.NUMBER,
                    look=Look.STACKED,
                    queries=(Query(total("hunarmitra_http_connections", "state"), "{{state}}"),),
                ),
                Panel(
                    title="Slow clients cut off",
                    description="Connections closed because a request or the reading of a response took too long, or "
                    "because a limit was reached, by reason.",
                    unit=Unit.REQUESTS,
                    queries=(Query(per_second("hunarmitra_http_connections_cut_total", "reason"), "{{reason}}"),),
                ),
            ),
        ),
    ),
)
