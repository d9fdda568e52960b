"""Write ``docs/metrics.md`` from the catalogue and from the operator's metrics; ``make drift`` compares them."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hunarmitra.telemetry.catalogue import CATALOGUE, Kind, Metric, Process
from hunarmitra.telemetry.prometheus_adapter import SharedMetric, label_names

OPERATOR: Final = Path(__file__).resolve().parents[1] / "operator"
MOST_SHOWN: Final = 24
"""The most values of a label that the table lists. A label with more values, such as the routes, is only described."""

_PREFACE: Final = """\
# Metrics

Written by `make docs-metrics` from [`hunarmitra/telemetry/catalogue.py`](../hunarmitra/telemetry/catalogue.py)
and [`operator/hunarmitra_operator/metrics.py`](../operator/hunarmitra_operator/metrics.py): change it there.

All are in Prometheus' text format, or OpenMetrics (with exemplars, from ws pods) where the scraper asks for it.

| process | where |
|---|---|
| ws pods | `/metrics` on `WS_ADMIN_PORT`, 8081 |
| http pods | `/metrics` on `HTTP_ADMIN_PORT`, 8081 in the chart; never on the public port |
| relay | `/metrics` on `METRICS_PORT`, 8081 in the chart |
| operator | `/metrics` on its web port |
| `make run` | everything on `http://127.0.0.1:9000/metrics`: `METRICS_PORT`, else the served port + 1000 |
| stock daphne or uvicorn | on `METRICS_PORT` and `METRICS_HOST`, where they are set |

The values of each label are fixed, and every series exists from the start, at zero, so that `rate()` sees the first
event. Clients cannot create series. A process shows the metrics of its roles: `http` and `relay` publish, `ws`
serves connections, a ws process with `RELAY_IN_PROCESS` is both. Those of one process (`process_*`, `python_info`) are
prometheus_client's own; the http pods, which are several processes, do not have them.

A latency that ends at a client is measured once for a whole fan-out and counts for each connection of it. It starts at
the commit, by the clock of the process that committed. So the clocks of the nodes must agree (NTP);
`hunarmitra_event_clock_skew_total` counts messages for which they did not.
"""

_TITLES: Final = {
    "hunarmitra_http": "REST",
    "hunarmitra_security": "Security",
    "hunarmitra_database": "Database",
    "hunarmitra_publish": "Publishing",
    "hunarmitra_relay": "Relay and outbox",
    "hunarmitra_outbox": "Relay and outbox",
    "hunarmitra_event": "Events",
    "hunarmitra_replayed": "Events",
    "hunarmitra_ws": "Sockets",
}


def render() -> str:
    sections: dict[str, list[Metric]] = {}
    for metric in CATALOGUE:
        sections.setdefault(_TITLES["_".join(metric.name.split("_")[:2])], []).append(metric)
    parts = [_PREFACE]
    for title, metrics in sections.items():
        parts += [f"\n## {title}\n\n", _HEAD, *map(_row, metrics)]
    parts += ["\n## Operator\n\n", "| metric | kind | labels | what |\n|---|---|---|---|\n", *_operator_rows()]
    return "".join(parts)


_HEAD: Final = "| metric | kind | labels | what | shown by |\n|---|---|---|---|---|\n"


def _row(metric: Metric) -> str:
    labels = "<br>".join(f"`{name}`: {_values(values)}" for name, values in metric.labels.items())
    text = metric.help.replace("|", "\\|")
    if metric.kind is Kind.HISTOGRAM:
        text += " Buckets: " + ", ".join(f"{bound:g}" for bound in metric.buckets) + "."
    shown_by = ", ".join(process.value for process in Process if process in metric.processes)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {text} | {shown_by} |\n"


def _values(values: tuple[str, ...]) -> str:
    if len(values) > MOST_SHOWN:
        return "the URL patterns, `/admin/`, `/static/`, `unmatched`"
    return ", ".join(f"`{value}`" for value in values)


@functools.cache
def operator_metrics() -> tuple[SharedMetric, ...]:
    """Return the metrics of the operator.

    Its package is not a part of this distribution. Its module of metrics imports only prometheus_client.
    """
    sys.path.insert(0, str(OPERATOR))
    try:
        module = importlib.import_module("hunarmitra_operator.metrics")
    finally:
        sys.path.remove(str(OPERATOR))
    return tuple(value for value in vars(module).values() if isinstance(value, SharedMetric))


def _operator_rows() -> Iterator[str]:
    for metric in operator_metrics():
        [family] = metric.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"`{label}`" for label in label_names(metric))
        yield f"| `{name}` | {family.type} | {labels} | {family.documentation} |\n"


if __name__ == "__main__":
    sys.stdout.write(render())
