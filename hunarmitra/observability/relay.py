"""What the relay counts, and how full it finds the outbox."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry

from hunarmitra.observability import catalogue
from hunarmitra.observability.native import counter, gauge

REGISTRY: Final = CollectorRegistry()

_published: Final = counter(catalogue.RELAY_PUBLISHED, REGISTRY)
_failures: Final = counter(catalogue.RELAY_FAILURES, REGISTRY)
_last_success: Final = gauge(catalogue.RELAY_LAST_SUCCESS, REGISTRY)
_rows: Final = gauge(catalogue.OUTBOX_ROWS, REGISTRY)
_age: Final = gauge(catalogue.OUTBOX_AGE, REGISTRY)


def succeeded(published: int) -> None:
    """A look that found and published so many."""
    _published.inc(published)
    _last_success.set(time.time())


def failed() -> None:
    _failures.inc()


def outbox_seen(rows: Mapping[str, int], oldest_age: float) -> None:
    """``rows`` by stream; ``oldest_age`` in seconds, 0 when there are none."""
    for stream, number in rows.items():
        _rows.labels(stream).set(number)
    _age.set(oldest_age)
