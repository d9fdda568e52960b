"""Metrics of publishing, in every process that publishes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from prometheus_client import CollectorRegistry

from hunarmitra.telemetry import catalogue
from hunarmitra.telemetry.labels import LANES
from hunarmitra.telemetry.native import counter, histogram

REGISTRY: Final = CollectorRegistry()

_messages: Final = counter(catalogue.PUBLISH_MESSAGES, REGISTRY)
_failures: Final = counter(catalogue.PUBLISH_FAILURES, REGISTRY)
_refusals: Final = counter(catalogue.PUBLISH_REFUSALS, REGISTRY)
_duration: Final = histogram(catalogue.PUBLISH_DURATION, REGISTRY)
_latency: Final = histogram(catalogue.EVENT_LATENCY, REGISTRY, [(catalogue.PUBLISHER_STAGE, lane) for lane in LANES])


@contextmanager
def timed(backend: str) -> Iterator[None]:
    """Measure the duration of a publish."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        _duration.labels(backend).observe(time.perf_counter() - begun)


def accepted(backend: str, number: int) -> None:
    """Count messages that a backend accepted; the backend ``log`` sends them nowhere."""
    _messages.labels(backend).inc(number)


def failed(backend: str) -> None:
    """Count a batch that a backend did not accept."""
    _failures.labels(backend).inc()


def refused(what: str) -> None:
    """Count a refusal of Redis; ``what``: the ``login``, to ``publish``, or to count for a rate ``limit``."""
    _refusals.labels(what).inc()


def published(waits: Sequence[tuple[str, float]]) -> None:
    """Observe for each message its lane and the seconds from its commit until a backend accepted it."""
    for lane, seconds in waits:
        _latency.labels(catalogue.PUBLISHER_STAGE, lane).observe(max(0.0, seconds))
