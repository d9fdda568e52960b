"""A scrape of a running process, parsed with Prometheus' parsers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from hunarmitra.telemetry.catalogue import CATALOGUE, Kind, Process
from hunarmitra.telemetry.labels import LANES
from tests.support import web

Series = tuple[str, frozenset[tuple[str, str]]]

OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
OF_THE_PROCESS = ("process_", "python_")


def series(name: str, labels: Mapping[str, str]) -> Series:
    return name, frozenset(labels.items())


def families_of(text: str, content_type: str = "text/plain") -> list[Family]:
    parse: Any = openmetrics_families if "openmetrics" in content_type else text_string_to_metric_families
    return list(parse(text))


def values_of(families: Iterable[Family]) -> dict[Series, float]:
    samples = [sample for family in families for sample in family.samples]
    values: dict[Series, float] = {series(sample.name, sample.labels): sample.value for sample in samples}
    assert len(samples) == len(values), "a series comes twice"
    return values


class Scrape:
    """A scrape: its `text`, and its `values` by series."""

    def __init__(self, url: str, headers: Mapping[str, str] = OPENMETRICS) -> None:
        answer = web.get(url, headers={"Host": "10.0.0.7", **headers})
        answer.raise_for_status()
        self.content_type = answer.headers["content-type"]
        self.text = answer.text
        self.families = families_of(self.text, self.content_type)
        self.values = values_of(self.families)

    def ours(self) -> set[Series]:
        return {each for each in self.values if not each[0].startswith(OF_THE_PROCESS)}

    def __call__(self, name: str, **labels: str) -> float:
        return self.values[series(name, labels)]

    def total(self, name: str) -> float:
        """Return the sum over all label values."""
        return sum(value for (each, _), value in self.values.items() if each == name)


def expected(processes: Iterable[Process]) -> set[Series]:
    """Return the series that a process with these tasks must have from the start, according to the catalogue."""
    roles = frozenset(processes)
    return {each for metric in CATALOGUE if metric.processes & roles for each in _of(metric.name, roles)}


def _of(name: str, roles: frozenset[Process]) -> Iterator[Series]:
    [metric] = [metric for metric in CATALOGUE if metric.name == name]
    for values in metric.initial_series():
        labels = dict(zip(metric.labels, values, strict=True))
        if labels.get("lane") in LANES and "stage" in labels:
            # Several processes have a part of this histogram each, by stage.
            of_publisher = labels["stage"] == "commit_to_published"
            if not roles & ({Process.HTTP, Process.RELAY} if of_publisher else {Process.WS}):
                continue
        if metric.kind is Kind.HISTOGRAM:
            for bound in (*(str(float(bound)) for bound in metric.buckets), "+Inf"):
                yield series(f"{metric.name}_bucket", {**labels, "le": bound})
            yield series(f"{metric.name}_sum", labels)
            yield series(f"{metric.name}_count", labels)
        else:
            yield series(metric.name, labels)
