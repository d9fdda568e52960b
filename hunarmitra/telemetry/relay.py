"""What the relay counts, and how full it finds the outbox."""

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
"""A turn of the relay that takes longer will never end. One fails within seconds, and is followed by the next, while
the database or Redis cannot be reached: a new process would reach neither."""


class _Looks:
    """When the relay last looked without failing, in seconds since 1970: now while it does not run, because a process
    whose first socket starts it has nothing to relay before."""

    running: bool = False
    turned_at: float = 0.0
    succeeded_at: float = 0.0

    def last_success(self) -> float:
        return self.succeeded_at if self.running else time.time()


_published: Final = counter(catalogue.RELAY_PUBLISHED, REGISTRY)
_failures: Final = counter(catalogue.RELAY_FAILURES, REGISTRY)
_rows: Final = gauge(catalogue.OUTBOX_ROWS, REGISTRY)
_age: Final = gauge(catalogue.OUTBOX_AGE, REGISTRY)


_looks: Final = _Looks()
REGISTRY.register(LoopCollector(LoopGauge(catalogue.RELAY_LAST_SUCCESS, _looks.last_success)))


def started() -> None:
    """The relay runs: from now on its silence means something."""
    turned()
    _looks.running = True


def turned() -> None:
    """Another turn of the loop begins, whatever came of the last one."""
    _looks.turned_at = time.monotonic()


def stuck() -> bool:
    """Whether the loop stands still in a turn, so that only a new process helps."""
    return _looks.running and time.monotonic() - _looks.turned_at > STUCK_SECONDS


def succeeded(published: int) -> None:
    """A look that found and published so many."""
    _published.inc(published)
    _looks.succeeded_at = time.time()


def failed() -> None:
    _failures.inc()


def outbox_seen(rows: Mapping[str, int], oldest_age: float) -> None:
    """``rows`` by stream; ``oldest_age`` in seconds, 0 when there are none."""
    for stream, number in rows.items():
        _rows.labels(stream).set(number)
    _age.set(oldest_age)
