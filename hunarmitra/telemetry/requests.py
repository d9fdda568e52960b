"""Metrics of REST requests, for Django and for the servers, which answer some requests before Django sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from prometheus_client import CollectorRegistry

from hunarmitra.telemetry import catalogue
from hunarmitra.telemetry.labels import OTHER, RESPONSE_CODES, ROUTES, UNMATCHED
from hunarmitra.telemetry.native import counter, gauge, histogram

REGISTRY: Final = CollectorRegistry()

_requests: Final = counter(catalogue.HTTP_REQUESTS, REGISTRY)
_responses: Final = counter(catalogue.HTTP_RESPONSES, REGISTRY)
_duration: Final = histogram(catalogue.HTTP_DURATION, REGISTRY)
_in_progress: Final = gauge(catalogue.HTTP_IN_PROGRESS, REGISTRY)

_CODES: Final = frozenset(RESPONSE_CODES)


def in_progress() -> AbstractContextManager[None]:
    """Show that a request is being answered."""
    tracked: AbstractContextManager[None] = _in_progress.track_inprogress()
    return tracked


def answered(method: str, route: str, code: str, seconds: float) -> None:
    """Count a request and its answer, with labels of the catalogue."""
    _duration.labels(method, route).observe(seconds)
    _requests.labels(method, route, f"{code[0]}xx").inc()
    _responses.labels(code if code in _CODES else OTHER).inc()


@contextmanager
def request_in_front(method: str, route: str) -> Iterator[Callable[[str], None]]:
    """Time a request that is answered in front of Django; the value counts it with its status, if it was."""
    begun = time.perf_counter()
    with in_progress():
        yield lambda code: answered(method, route, code, time.perf_counter() - begun)


def too_large(method: str) -> None:
    """Count a request that a server answers with 413 before Django sees it. No view is chosen, so it has no route."""
    method = "GET" if method == "HEAD" else method
    answered(method if method in ROUTES[UNMATCHED] else OTHER, UNMATCHED, "413", 0.0)
