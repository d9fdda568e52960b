"""Metrics of one event loop: plain numbers without locks, converted for Prometheus at each scrape.

An object of prometheus_client takes a lock for each increment, and looks its labels up. Where ten thousand connections
hang on one thread, an increment is an addition here, with the weight of a whole fan-out. Other threads may read.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from hunarmitra.telemetry.catalogue import Metric
from hunarmitra.telemetry.prometheus_adapter import bucket_name

Series = tuple[str, ...]


class LoopCounter:
    """``values`` holds each series by its one label's value, or by ``""`` for a metric without labels."""

    __slots__ = ("metric", "values")

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.values: dict[str, int] = {(series or ("",))[0]: 0 for series in metric.initial_series()}

    def inc(self, value: str = "", amount: int = 1) -> None:
        """Raises KeyError for a value that the catalogue does not have."""
        self.values[value] += amount

    def family(self) -> Family:
        family = CounterMetricFamily(self.metric.name, self.metric.help, labels=list(self.metric.labels))
        for value, number in self.values.items():
            family.add_metric([value] if self.metric.labels else [], number)
        return family


class LoopGauge:
    """Read at each scrape: a number, or a number for each value of its label."""

    __slots__ = ("metric", "read")

    def __init__(self, metric: Metric, read: Callable[[], float | Mapping[str, float]]) -> None:
        self.metric = metric
        self.read = read

    def family(self) -> Family:
        family = GaugeMetricFamily(self.metric.name, self.metric.help, labels=list(self.metric.labels))
        found = self.read()
        if isinstance(found, Mapping):
            for value, number in found.items():
                family.add_metric([value], number)
        else:
            family.add_metric([], found)
        return family


class HistogramSeries:
    """Counts of one series, by bucket. ``exemplars`` has the newest trace of each bucket, where there is one."""

    __slots__ = ("_bounds", "counts", "exemplars", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self.exemplars: list[Exemplar | None] | None = None

    def observe(self, value: float, weight: int = 1, trace_id: str | None = None) -> None:
        """Observe a value; ``weight`` is the number of observations that it stands for."""
        index = bisect_left(self._bounds, value)
        self.counts[index] += weight
        self.sum += value * weight
        if trace_id is not None:
            if self.exemplars is None:
                self.exemplars = [None] * len(self.counts)
            self.exemplars[index] = Exemplar({"trace_id": trace_id}, value, time.time())

    def buckets(self) -> list[tuple[str, float] | tuple[str, float, Exemplar]]:
        """Cumulative, as Prometheus' family wants them."""
        names = [*map(bucket_name, self._bounds), "+Inf"]
        found: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
        for index, total in enumerate(accumulate(self.counts)):
            exemplar = self.exemplars[index] if self.exemplars is not None else None
            found.append((names[index], total) if exemplar is None else (names[index], total, exemplar))
        return found


class LoopHistogram:
    """``series``: those that this process observes, where others observe the rest."""

    __slots__ = ("metric", "series")

    def __init__(self, metric: Metric, series: tuple[Series, ...] | None = None) -> None:
        self.metric = metric
        wanted = metric.initial_series() if series is None else series
        self.series = {values: HistogramSeries(metric.buckets) for values in wanted}

    def observe(self, value: float, weight: int = 1, trace_id: str | None = None) -> None:
        """For a metric without labels; of the others take the series once, and keep it."""
        self.series[()].observe(value, weight, trace_id)

    def family(self) -> Family:
        family = HistogramMetricFamily(self.metric.name, self.metric.help, labels=list(self.metric.labels))
        for values, series in self.series.items():
            family.add_metric(list(values), series.buckets(), series.sum)
        return family


class LoopCollector(Collector):
    """All of them, for an exposition."""

    def __init__(self, *metrics: LoopCounter | LoopGauge | LoopHistogram) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Family]:
        for metric in self._metrics:
            yield metric.family()
