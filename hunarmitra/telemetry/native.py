"""Metrics of the catalogue as objects of prometheus_client, for processes with threads, and for several processes.

Under gunicorn their values live in files that all its processes share (``services/http/gunicorn.conf.py``), which is
why the class of the values is chosen before the first of them is made.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from hunarmitra.telemetry.catalogue import Metric

# A second series for each counter and histogram, which says when it was made: nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]


def counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    made = Counter(metric.name, metric.help, tuple(metric.labels), registry=registry)
    _start_at_zero(made, metric.initial_series())
    return made


def gauge(metric: Metric, registry: CollectorRegistry) -> Gauge:
    """Of several processes the living ones' sum."""
    made = Gauge(metric.name, metric.help, tuple(metric.labels), registry=registry, multiprocess_mode="livesum")
    _start_at_zero(made, metric.initial_series())
    return made


def histogram(
    metric: Metric, registry: CollectorRegistry, series: Iterable[tuple[str, ...]] | None = None
) -> Histogram:
    """``series``: those that this process observes, where others observe the rest."""
    made = Histogram(metric.name, metric.help, tuple(metric.labels), buckets=metric.buckets, registry=registry)
    _start_at_zero(made, metric.initial_series() if series is None else series)
    return made


def _start_at_zero(made: Counter | Gauge | Histogram, series: Iterable[tuple[str, ...]]) -> None:
    for values in series:
        if values:
            made.labels(*values)
