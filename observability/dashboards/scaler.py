"""The operator: its observations, its decisions, and whether it can carry them out."""

from __future__ import annotations

from observability.dashboards.panels import Look, Page, Panel, Query, Row, Unit, per_second, quantile, quantiles, select

OPERATOR = "hunarmitra_operator"


def _of_scaler(metric: str) -> str:
    return f"max by (namespace, name) ({select(f'{OPERATOR}_{metric}')})"


def _of_metric(figure: str) -> str:
    return f"max by (namespace, name, metric) ({select(f'{OPERATOR}_metric_{figure}')})"


PAGE = Page(
    name="scaler",
    title="Scaler",
    description="The WebSocketScaler: load, replicas, drains and the operator's own health.",
    rows=(
        Row(
            title="Load and replicas",
            panels=(
                Panel(
                    title="Replicas",
                    description="recommended is what the load asks for, predicted what last week asks "
                    "for (0: nothing), desired what is worked towards after limits, "
                    "windows and drains, current what the Deployment has.",
                    unit=Unit.NUMBER,
                    queries=tuple(
                        Query(_of_scaler(f"replicas_{kind}"), f"{{{{name}}}} {kind}")
                        for kind in ("recommended", "predicted", "desired", "current")
                    ),
                ),
                Panel(
                    title="Connections",
                    description="Of all pods, draining and terminating ones too; and of the fullest.",
                    unit=Unit.NUMBER,
                    queries=(
                        Query(_of_scaler("connections"), "{{name}} all"),
                        Query(_of_scaler("fullest_pod_connections"), "{{name}} fullest pod"),
                    ),
                ),
                Panel(
                    title="Metrics besides connections",
                    description="Average of each metric of spec.metrics, in percent of its target; and the replicas "
                    "that it asks for. Empty without such a metric.",
                    unit=Unit.NUMBER,
                    queries=(
                        Query(
                            f"100 * {_of_metric('average')} / {_of_metric('target')}", "{{name}} {{metric}} % of target"
                        ),
                        Query(_of_metric("replicas"), "{{name}} {{metric}} replicas"),
                    ),
                ),
                Panel(
                    title="Pods",
                    description="Ready and not drained; being drained; without a recent reading. While any cannot be "
                    "read, nothing is scaled down.",
                    unit=Unit.NUMBER,
                    queries=(
                        Query(_of_scaler("pods_ready"), "{{name}} ready"),
                        Query(_of_scaler("pods_draining"), "{{name}} draining"),
                        Query(_of_scaler("pods_unreadable"), "{{name}} unreadable"),
                    ),
                ),
            ),
        ),
        Row(
            title="Decisions",
            panels=(
                Panel(
                    title="Conditions",
                    description="1 while the condition of the WebSocketScaler is true.",
                    unit=Unit.NUMBER,
                    queries=(Query(f"max by (name, type) ({select(f'{OPERATOR}_condition')})", "{{name}} {{type}}"),),
                ),
                Panel(
                    title="Decisions by reason",
                    description="One a turn; docs/scaling.md says what each reason means.",
                    unit=Unit.PER_SECOND,
                    look=Look.STACKED,
                    queries=(Query(per_second(f"{OPERATOR}_decisions_total", "reason"), "{{reason}}"),),
                ),
                Panel(
                    title="Time since the last decision",
                    description="Usually a few seconds.",
                    unit=Unit.SECONDS,
                    alarm=120,
                    queries=(Query(f"time() - {_of_scaler('last_decision_timestamp_seconds')}", "{{name}}"),),
                ),
                Panel(
                    title="Drains",
                    description="begun, finished, or given_up because the load came back or a rollout began.",
                    unit=Unit.PER_SECOND,
                    queries=(Query(per_second(f"{OPERATOR}_drains_total", "event"), "{{event}}"),),
                ),
                Panel(
                    title="Connections shed",
                    description="Moved from full pods to emptier ones after a scale-up.",
                    unit=Unit.PER_SECOND,
                    queries=(Query(per_second(f"{OPERATOR}_connections_shed_total", "name"), "{{name}}"),),
                ),
            ),
        ),
        Row(
            title="The operator",
            panels=(
                Panel(
                    title="Replicas of the operator",
                    description="One leads and decides, the others stand by. Without a leader nothing is scaled.",
                    unit=Unit.NUMBER,
                    queries=(
                        Query(f"sum by (namespace) ({select(f'{OPERATOR}_leading')})", "leading"),
                        Query(f"count by (namespace) ({select(f'{OPERATOR}_leading')})", "all"),
                    ),
                ),
                Panel(
                    title="Duration of a turn",
                    description="Observing, deciding and acting.",
                    unit=Unit.SECONDS,
                    queries=tuple(quantiles(f"{OPERATOR}_turn_duration_seconds", 0.5, 0.99)),
                ),
                Panel(
                    title="Duration of the decision",
                    description="The decision alone, which asks nobody.",
                    unit=Unit.SECONDS,
                    queries=(Query(quantile(0.99, f"{OPERATOR}_decide_duration_seconds"), "99 %"),),
                ),
                Panel(
                    title="Turns that failed",
                    description="By what failed.",
                    unit=Unit.PER_SECOND,
                    queries=(Query(per_second(f"{OPERATOR}_turn_errors_total", "kind"), "{{kind}}"),),
                ),
                Panel(
                    title="Requests to the API server",
                    description="By verb, resource and status.",
                    unit=Unit.REQUESTS,
                    queries=(
                        Query(
                            per_second(f"{OPERATOR}_api_requests_total", "verb", "resource", "code"),
                            "{{verb}} {{resource}} {{code}}",
                        ),
                    ),
                ),
                Panel(
                    title="Requests to pods",
                    description="To the control ports of the ws pods, by verb and outcome.",
                    unit=Unit.REQUESTS,
                    queries=(
                        Query(per_second(f"{OPERATOR}_pod_requests_total", "verb", "outcome"), "{{verb}} {{outcome}}"),
                    ),
                ),
            ),
        ),
    ),
)
