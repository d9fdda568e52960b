"""Metrics of the REST service. Routes are URL patterns, so that ids and random paths create no series."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from django.http import HttpRequest, HttpResponseBase
from prometheus_client import CollectorRegistry

from hunarmitra.telemetry import catalogue
from hunarmitra.telemetry.labels import OTHER, RESPONSE_CODES, ROUTES, UNMATCHED
from hunarmitra.telemetry.native import counter, gauge, histogram

Handler = Callable[[HttpRequest], HttpResponseBase]

REGISTRY: Final = CollectorRegistry()

_requests: Final = counter(catalogue.HTTP_REQUESTS, REGISTRY)
_responses: Final = counter(catalogue.HTTP_RESPONSES, REGISTRY)
_duration: Final = histogram(catalogue.HTTP_DURATION, REGISTRY)
_in_progress: Final = gauge(catalogue.HTTP_IN_PROGRESS, REGISTRY)
_rate_limited: Final = counter(catalogue.HTTP_RATE_LIMITED, REGISTRY)
_database_unavailable: Final = counter(catalogue.HTTP_DATABASE_UNAVAILABLE, REGISTRY)
_connections: Final = gauge(catalogue.HTTP_CONNECTIONS, REGISTRY)
_connections_cut: Final = counter(catalogue.HTTP_CONNECTIONS_CUT, REGISTRY)

_ADMIN: Final = "/admin/"
_STATIC: Final = "/static/"
_CODES: Final = frozenset(RESPONSE_CODES)


def rate_limited(limit: str) -> None:
    _rate_limited.labels(limit).inc()


def database_unavailable() -> None:
    _database_unavailable.inc()


def connections(counts: Mapping[str, int]) -> None:
    """Show the open connections of this process by state."""
    for state, count in counts.items():
        _connections.labels(state).set(count)


def connection_cut(reason: str) -> None:
    _connections_cut.labels(reason).inc()


def route_of(request: HttpRequest, status: int) -> str:
    """Return one of the catalogue's routes. Static files have no URL pattern; they count if the file exists."""
    match = request.resolver_match
    if match is None:
        return _STATIC if status < 400 and request.path_info.startswith(_STATIC) else UNMATCHED
    route = f"/{match.route}"
    if route.startswith(_ADMIN) or route == _ADMIN.rstrip("/"):
        return _ADMIN
    return route if route in ROUTES else UNMATCHED


def method_of(request: HttpRequest, route: str) -> str:
    """Return the method: ``HEAD`` counts as ``GET``, and a method that the route does not serve as ``other``."""
    method = "GET" if request.method == "HEAD" else request.method
    return method if method in ROUTES[route] else OTHER


@contextmanager
def request_in_front(method: str, route: str) -> Iterator[Callable[[str], None]]:
    """Time a request that is answered in front of Django; the value counts it with its status, if it was."""
    begun = time.perf_counter()

    def count(code: str) -> None:
        _duration.labels(method, route).observe(time.perf_counter() - begun)
        _requests.labels(method, route, f"{code[0]}xx").inc()
        _responses.labels(code).inc()

    with _in_progress.track_inprogress():
        yield count


class MetricsMiddleware:
    """Count and time every request except probes."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        begun = time.perf_counter()
        with _in_progress.track_inprogress():
            response = self._get_response(request)
        route = route_of(request, response.status_code)
        method = method_of(request, route)
        _duration.labels(method, route).observe(time.perf_counter() - begun)
        _requests.labels(method, route, f"{response.status_code // 100}xx").inc()
        code = str(response.status_code)
        _responses.labels(code if code in _CODES else OTHER).inc()
        return response
