"""What defines a metric: its name, kind, meaning, labels and buckets. Imports no framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product
from typing import Final

PREFIX: Final = "hunarmitra_"


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Process(StrEnum):
    """The role of a process, which decides which metrics it shows. The embedded process has all roles."""

    HTTP = "http"
    WS = "ws"
    RELAY = "relay"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """``name`` without the suffixes that Prometheus' text format adds (``_total`` excepted, which queries use).

    ``labels`` maps each label to all its values. ``series`` are the combinations that exist from the start, if not all
    do. ``buckets`` are upper bounds, without infinity. ``processes`` are the roles that show the metric.
    """

    name: str
    kind: Kind
    help: str
    processes: frozenset[Process]
    unit: str = ""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    series: tuple[tuple[str, ...], ...] | None = None
    buckets: tuple[float, ...] = ()

    def initial_series(self) -> tuple[tuple[str, ...], ...]:
        """Return the label values of every series that exists from the start, in the order of ``labels``."""
        return tuple(product(*self.labels.values())) if self.series is None else self.series

    def sample_names(self) -> tuple[str, ...]:
        """Return the names under which Prometheus stores the metric, as queries write them."""
        if self.kind is Kind.HISTOGRAM:
            return f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count"
        return (self.name,)


def counter(
    name: str,
    text: str,
    processes: frozenset[Process],
    labels: Mapping[str, tuple[str, ...]] | None = None,
    series: tuple[tuple[str, ...], ...] | None = None,
) -> Metric:
    """Define a counter; its name gets the suffix ``_total``."""
    return Metric(
        name=f"{PREFIX}{name}_total",
        kind=Kind.COUNTER,
        help=text,
        processes=processes,
        labels=labels or {},
        series=series,
    )


def gauge(
    name: str,
    text: str,
    processes: frozenset[Process],
    labels: Mapping[str, tuple[str, ...]] | None = None,
    unit: str = "",
) -> Metric:
    """Define a gauge."""
    return Metric(
        name=f"{PREFIX}{name}", kind=Kind.GAUGE, help=text, processes=processes, labels=labels or {}, unit=unit
    )


def histogram(
    name: str,
    text: str,
    processes: frozenset[Process],
    buckets: tuple[float, ...],
    labels: Mapping[str, tuple[str, ...]] | None = None,
    *,
    unit: str = "seconds",
    series: tuple[tuple[str, ...], ...] | None = None,
) -> Metric:
    """Define a histogram."""
    return Metric(
        name=f"{PREFIX}{name}",
        kind=Kind.HISTOGRAM,
        help=text,
        processes=processes,
        labels=labels or {},
        series=series,
        buckets=buckets,
        unit=unit,
    )
