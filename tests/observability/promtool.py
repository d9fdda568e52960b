"""promtool's unit tests, from cases in Python: a healthy system, and what differs from it.

Every case names *all* alerts that fire at a moment, so that one which fires beside the intended one fails the test.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from observability.parameters import seconds_of
from tests.support import tools

FINE, COARSE = 15, 60
"""Seconds between two scrapes: the chart's default, and for cases of more than an hour, which take long to evaluate."""

Values = Callable[[int], str]
"""From the seconds between two scrapes to promtool's notation of a series."""

FIRING = 'group by (alertname, severity) (ALERTS{alertstate="firing"})'
WS_PODS = ("ws-0", "ws-1")
FOREVER = "xEND"
"""Until the case's last moment."""


def steady(value: float) -> Values:
    return lambda _: f"{value:g}+0{FOREVER}"


def rising(per_minute: float, start: float = 0) -> Values:
    return lambda interval: f"{start:g}+{per_minute * interval / 60:.9g}{FOREVER}"


NOW = rising(60)
"""A time stamp that is always the present: promtool's clock begins at 0."""


def then(*parts: tuple[str, float, float]) -> Values:
    """Several behaviours in a row: how long, from which value, and how much more each minute. The last one lasts."""

    def values(interval: int) -> str:
        *before, (_, start, step) = parts
        shown = [
            f"{first:.9g}+{more * interval / 60:.9g}x{seconds_of(duration) // interval - 1}"
            for duration, first, more in before
        ]
        return " ".join([*shown, rising(step, start)(interval)])

    return values


def ws(metric: str, pod: str, **labels: str) -> str:
    return _series(f"hunarmitra_{metric}", job="hunarmitra-ws", pod=pod, **labels)


def http(metric: str, **labels: str) -> str:
    return _series(f"hunarmitra_{metric}", job="hunarmitra-http", pod="http-0", **labels)


def relay(metric: str, **labels: str) -> str:
    return _series(f"hunarmitra_{metric}", job="hunarmitra-relay", pod="relay-0", **labels)


def operator(metric: str, **labels: str) -> str:
    return _series(f"hunarmitra_operator_{metric}", job="hunarmitra-operator", pod="operator-0", name="ws", **labels)


def up(job: str, pod: str) -> str:
    return _series("up", job=f"hunarmitra-{job}", pod=pod)


def _series(name: str, /, **labels: str) -> str:
    every = {"namespace": "hm", **labels}
    matchers = ", ".join(f'{label}="{value}"' for label, value in sorted(every.items()))
    return f"{name}{{{matchers}}}"


LATENCY = "event_latency_seconds"
SOCKET = {"stage": "commit_to_socket", "lane": "status"}
MESSAGE = {"stage": "published_to_pod", "lane": "status"}


def healthy() -> dict[str, Values]:
    """A system under load in which nothing is wrong: sixty status events a minute and pod."""
    series: dict[str, Values] = {}
    for pod in WS_PODS:
        series |= {
            up("ws", pod): steady(1),
            ws("ws_draining", pod): steady(0),
            ws("ws_connections", pod, kind="booking"): steady(1000),
            ws("ws_connections_limit", pod): steady(2000),
            ws("ws_subscriber_connected", pod): steady(1),
            ws("ws_subscriber_heard_timestamp_seconds", pod): NOW,
            ws("ws_subscriber_reconnects_total", pod): steady(0),
            ws("ws_subscriber_refusals_total", pod, refused="subscribe"): steady(0),
            ws("ws_messages_unsigned_total", pod): steady(0),
            ws("ws_comparison_success_timestamp_seconds", pod): NOW,
            ws("ws_events_recovered_total", pod): steady(0),
            ws("ws_slow_clients_closed_total", pod): steady(0),
            ws("ws_drain_cut_off_total", pod): steady(0),
            ws("event_clock_skew_total", pod): steady(0),
            ws(f"{LATENCY}_count", pod, **SOCKET): rising(60),
            ws(f"{LATENCY}_bucket", pod, **SOCKET, le="0.5"): rising(60),
            ws(f"{LATENCY}_count", pod, **MESSAGE): rising(60),
            ws("replayed_event_age_seconds_count", pod): rising(60),
            ws("replayed_event_age_seconds_bucket", pod, le="300.0"): rising(60),
            ws("ws_event_loop_delay_seconds_bucket", pod, le="0.01"): rising(6000),
            ws("ws_event_loop_delay_seconds_bucket", pod, le="1.0"): rising(6000),
            ws("ws_event_loop_delay_seconds_bucket", pod, le="+Inf"): rising(6000),
        }
        for outcome in ("refused", "unavailable", "abandoned", "full", "reconnect"):
            series[ws("ws_handshakes_total", pod, outcome=outcome)] = steady(0)
        series[ws("ws_handshakes_total", pod, outcome="joined")] = rising(60)
        for outcome in ("replayed", "resync"):
            series[ws("ws_resumes_total", pod, outcome=outcome)] = rising(60 if outcome == "replayed" else 0)
    return series | {
        up("http", "http-0"): steady(1),
        http("http_requests_in_progress"): steady(2),
        http("http_requests_total", status="2xx"): rising(600),
        http("http_requests_total", status="5xx"): steady(0),
        http("http_request_duration_seconds_count"): rising(600),
        http("http_request_duration_seconds_bucket", le="1.0"): rising(600),
        http("http_database_unavailable_total"): steady(0),
        http("publish_messages_total", backend="channel_layer"): rising(60),
        http("publish_messages_total", backend="redis"): steady(0),
        http("publish_messages_total", backend="log"): steady(0),
        http("publish_failures_total", backend="channel_layer"): steady(0),
        http("publish_refusals_total", refused="publish"): steady(0),
        http("publish_failures_total", backend="redis"): steady(0),
        up("relay", "relay-0"): steady(1),
        relay("outbox_oldest_unpublished_age_seconds"): steady(0),
        relay("outbox_quarantined_rows", stream="bookings"): steady(0),
        relay("outbox_quarantined_rows", stream="notifications"): steady(0),
        relay("relay_last_success_timestamp_seconds"): NOW,
        up("operator", "operator-0"): steady(1),
        operator("condition", type="MetricsStale"): steady(0),
        operator("condition", type="Conflict"): steady(0),
        operator("condition", type="Limited"): steady(0),
        operator("last_decision_timestamp_seconds"): NOW,
        operator("replicas_recommended"): steady(2),
        operator("replicas_current"): steady(2),
        operator("turn_errors_total", kind="api"): steady(0),
        operator("drains_total", event="given_up"): steady(0),
    }


@dataclass(frozen=True)
class Case:
    """``series`` replaces or adds to the healthy ones. ``firing``: all alerts, by the time."""

    name: str
    series: Mapping[str, Values]
    firing: Mapping[str, Sequence[str]]
    gone: Sequence[str] = ()
    """Series that contain one of these texts are gone."""

    @property
    def end(self) -> int:
        return max(map(_seconds, self.firing))

    @property
    def interval(self) -> int:
        return FINE if self.end <= 3000 else COARSE

    def to_yaml(self, severities: Mapping[str, str]) -> dict[str, Any]:
        present = {name: values for name, values in healthy().items() if not any(part in name for part in self.gone)}
        present |= self.series
        end, interval = self.end, self.interval
        tests = [
            {
                "expr": FIRING,
                "eval_time": moment,
                "exp_samples": [
                    {"labels": f'{{alertname="{name}", severity="{severities[name]}"}}', "value": 1}
                    for name in sorted(set(names))
                ],
            }
            for moment, names in self.firing.items()
        ]
        return {
            "name": self.name,
            "interval": f"{interval}s",
            "input_series": [
                {"series": name, "values": values(interval).replace(FOREVER, f"x{end // interval + 1}")}
                for name, values in sorted(present.items())
            ],
            "promql_expr_test": tests,
        }


def _seconds(moment: str) -> int:
    return sum(map(seconds_of, re.findall(r"\d+[smh]", moment)))


def run(directory: Path, rules: str, cases: Sequence[Case], severities: Mapping[str, str]) -> str:
    """What promtool says against the cases; empty when all hold."""
    (directory / "rules.yaml").write_text(rules)
    document = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": f"{max(case.interval for case in cases)}s",
        "tests": [case.to_yaml(severities) for case in cases],
    }
    (directory / "cases.yaml").write_text(yaml.safe_dump(document, width=1000))
    command: list[str | Path] = [tools.promtool(), "test", "rules", "cases.yaml"]
    result = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=600)
    return "" if result.returncode == 0 else result.stdout + result.stderr
