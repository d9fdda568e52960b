"""Adapter for prometheus_client: values that several processes share, and names of labels and buckets."""

from __future__ import annotations

from typing import Final

from prometheus_client import values
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.utils import floatToGoString

from hunarmitra.common.private_names import Library, names_of

LIBRARY: Final = Library(
    "prometheus_client",
    "0.26.0",
    (
        *names_of(
            "prometheus_client.values",
            {
                "ValueClass": "the class of all values; replaced before the first metric is made",
                "MultiProcessValue(process_identifier)": "files named by a worker's slot instead of its process id",
            },
        ),
        *names_of(
            "prometheus_client.metrics:MetricWrapperBase", {"_labelnames": "the labels of a metric without series"}
        ),
        *names_of("prometheus_client.utils", {"floatToGoString(d)": "the name of a bucket, as the library writes it"}),
    ),
)

SharedMetric = MetricWrapperBase
"""A metric of prometheus_client, of whatever kind."""


def share_values(slot: int) -> None:
    """Keep the values of metrics in files of this slot. Called before the first metric is made."""
    values.ValueClass = values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]


def label_names(metric: MetricWrapperBase) -> tuple[str, ...]:
    """The labels of a metric, also of one without any series."""
    return tuple(metric._labelnames)


def bucket_name(bound: float) -> str:
    """The value of ``le`` for a bucket's upper bound."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]
