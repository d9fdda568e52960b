"""Metrics of the relay and of the outbox."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry

from hunarmitra.telemetry import catalogue
from hunarmitra.telemetry.loop import LoopCollector, LoopGauge
from hunarmitra.telemetry.native import counter, gauge

REGISTRY: Final = CollectorRegistry()
STUCK_SECONDS: Final = 300.0
"""A turn of the relay that takes longer is stuck. While the database or Redis is away, a turn fails within seconds and
the next one begins: restarting the process would not help."""


class _Looks:
    """When the relay last looked without failing, in seconds since 1970.

    Before it runs that is now: in an embedded process the first connection starts it.
    """

    running: bool = False
    turned_at: float = 0.0
    succeeded_at: float = 0.0

    def last_success(self) -> float:
        return self.succeeded_at if self.running else time.time()


_published: Final = counter(catalogue.RELAY_PUBLISHED, REGISTRY)
_failures: Final = counter(catalogue.RELAY_FAILURES, REGISTRY)
_quarantined: Final = counter(catalogue.RELAY_QUARANTINED, REGISTRY)
_quarantined_rows: Final = gauge(catalogue.OUTBOX_QUARANTINED, REGISTRY)
_rows: Final = gauge(catalogue.OUTBOX_ROWS, REGISTRY)
_age: Final = gauge(catalogue.OUTBOX_AGE, REGISTRY)


_looks: Final = _Looks()
REGISTRY.register(LoopCollector(LoopGauge(catalogue.RELAY_LAST_SUCCESS, _looks.last_success)))


def started() -> None:
    """The relay runs: from now on, a missing turn means that it is stuck."""
    turned()
    _looks.running = True


def turned() -> None:
    """Another turn of the loop begins, after a success or a failure."""
    _looks.turned_at = time.monotonic()


def stuck() -> bool:
    """Whether the loop hangs in a turn, so that only a restart helps."""
    return _looks.running and time.monotonic() - _looks.turned_at > STUCK_SECONDS


def succeeded() -> None:
    """A look ended without a failure."""
    _looks.succeeded_at = time.time()


def published(number: int) -> None:
    """The relay published that many events."""
    _published.inc(number)


def quarantined(number: int) -> None:
    """The relay quarantined that many events, which cannot be rendered."""
    _quarantined.inc(number)


def failed() -> None:
    _failures.inc()


def outbox_seen(rows: Mapping[str, int], oldest_age: float, quarantined: Mapping[str, int]) -> None:
    """Show the backlog: unpublished and quarantined rows by stream, ``oldest_age`` in seconds (0 without rows)."""
    for stream, number in rows.items():
        _rows.labels(stream).set(number)
    for stream, number in quarantined.items():
        _quarantined_rows.labels(stream).set(number)
    _age.set(oldest_age)
