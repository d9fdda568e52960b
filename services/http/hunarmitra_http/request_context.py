"""What names a request in logs and traces: its id, and its span."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponseBase

from hunarmitra.telemetry import request_id, tracing
from hunarmitra.telemetry.tracing import Span

Handler = Callable[[HttpRequest], HttpResponseBase]

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


class RequestIdMiddleware:
    """Takes a well-formed ``X-Request-ID`` or makes one, and answers with it."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        identifier = request_id.accept(request.headers.get(request_id.HEADER))
        request.META[request_id.ENVIRON_REQUEST_ID] = identifier
        token = request_id.current.set(identifier)
        try:
            response = self._get_response(request)
        finally:
            request_id.current.reset(token)
        response.headers[request_id.HEADER] = identifier
        return response


class TraceMiddleware:
    """The span of a request, by OpenTelemetry's conventions for HTTP servers. Installed only where that is traced."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        method = request.method if request.method in _METHODS else None
        name = method or "HTTP"  # the conventions' name for a method that nobody knows
        with tracing.request_span(name, _propagated(request)) as span:
            if span.trace_id:
                request.META[request_id.ENVIRON_TRACE_ID] = span.trace_id
            response = self._get_response(request)
            _describe(span, request, response, method)
        return response


def _propagated(request: HttpRequest) -> dict[str, str]:
    names = ("traceparent", "tracestate")
    return {name: value for name in names if (value := request.headers.get(name)) is not None}


def _describe(span: Span, request: HttpRequest, response: HttpResponseBase, method: str | None) -> None:
    if span.traceparent is None:
        return
    if request.resolver_match is not None and request.resolver_match.route:
        route = f"/{request.resolver_match.route}"
        span.rename(f"{method or 'HTTP'} {route}")
        span.set("http.route", route)
    span.set("http.request.method", method or "_OTHER")
    span.set("http.response.status_code", response.status_code)
    span.set("url.scheme", request.scheme or "http")
    if response.status_code >= 500:
        span.fail(str(response.status_code))
