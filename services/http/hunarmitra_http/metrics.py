"""Metrics of the REST service; those of its requests are in :mod:`hunarmitra.telemetry.requests`.

Routes are URL patterns, so that ids and random paths create no series.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from django.http import HttpRequest, HttpResponseBase
from prometheus_client import CollectorRegistry

from hunarmitra.telemetry import catalogue, requests
from hunarmitra.telemetry.labels import OTHER, ROUTES, UNMATCHED
from hunarmitra.telemetry.native import counter, gauge

Handler = Callable[[HttpRequest], HttpResponseBase]

REGISTRY: Final = CollectorRegistry()

_rate_limited: Final = counter(catalogue.HTTP_RATE_LIMITED, REGISTRY)
_database_unavailable: Final = counter(catalogue.HTTP_DATABASE_UNAVAILABLE, REGISTRY)
_connections: Final = gauge(catalogue.HTTP_CONNECTIONS, REGISTRY)
_connections_cut: Final = counter(catalogue.HTTP_CONNECTIONS_CUT, REGISTRY)

_ADMIN: Final = "/admin/"
_STATIC: Final = "/static/"


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


class MetricsMiddleware:
    """Count and time every request except probes."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        begun = time.perf_counter()
        with requests.in_progress():
            response = self._get_response(request)
        route = route_of(request, response.status_code)
        requests.answered(method_of(request, route), route, str(response.status_code), time.perf_counter() - begun)
        return response
