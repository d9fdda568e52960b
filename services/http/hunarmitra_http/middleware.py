"""Middleware that runs before Django's own: probes, and headers of reverse proxies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.http.request import split_domain_port, validate_host

from hunarmitra.common import probes
from hunarmitra.common.addresses import client_address, forwarded_scheme, is_trusted
from hunarmitra.common.origins import is_allowed, rejected_origins
from hunarmitra.telemetry import security
from hunarmitra.telemetry.exposition import exposition
from hunarmitra_http.readiness import readiness

FORWARDED: Final = "hunarmitra.forwarded"
"""Key in ``META``: whether a proxy, trusted or not, sent one of the headers that are removed."""

Handler = Callable[[HttpRequest], HttpResponseBase]


class ProbeMiddleware:
    """Answer ``/livez`` and ``/readyz`` before anything else.

    A kubelet sends the pod's address in ``Host``, which ALLOWED_HOSTS does not have. With HTTP_ADMIN_PORT the probes
    are on that port only, with ``/metrics`` and nothing else. Without it there are no metrics: the port is public.
    """

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response
        self._admin_port = settings.ENVIRONMENT.http_admin_port

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # The port that accepted the connection. ``request.get_port()`` would believe a header.
        inner = str(self._admin_port) == request.META.get("SERVER_PORT")
        if self._admin_port and not inner:
            return self._get_response(request)
        if request.path_info == probes.LIVE:
            return HttpResponse("ok\n", content_type="text/plain")
        if request.path_info == probes.READY:
            report = readiness().report()
            return JsonResponse(report, status=200 if report["status"] == "ready" else 503)
        if self._admin_port and request.path_info == probes.METRICS:
            body, content_type = exposition(request.META.get("HTTP_ACCEPT", ""))
            return HttpResponse(body, content_type=content_type)
        if self._admin_port:
            return HttpResponse("Not found.\n", status=404, content_type="text/plain")
        return self._get_response(request)


class TrustedProxyMiddleware:
    """Put the client's address into ``REMOTE_ADDR``, and believe ``X-Forwarded-…`` of trusted proxies only.

    ``SECURE_PROXY_SSL_HEADER`` compares ``X-Forwarded-Proto`` with ``https``, from any sender. So the header is
    replaced by what :func:`forwarded_scheme` makes of it, or removed. Security events of the request have the address.
    """

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        proxies = settings.ENVIRONMENT.trusted_proxies
        peer = str(request.META.get("REMOTE_ADDR", ""))
        forwarded_for = str(request.META.pop("HTTP_X_FORWARDED_FOR", ""))
        forwarded_proto = str(request.META.pop("HTTP_X_FORWARDED_PROTO", ""))
        request.META[FORWARDED] = bool(forwarded_for or forwarded_proto)
        if is_trusted(peer, proxies):
            forwarded = str(request.META.get("HTTP_FORWARDED", ""))
            request.META["REMOTE_ADDR"] = client_address(peer, forwarded_for, proxies, forwarded=forwarded)
            if scheme := forwarded_scheme(forwarded_proto, forwarded):
                request.META["HTTP_X_FORWARDED_PROTO"] = scheme
        token = security.client_address.set(str(request.META.get("REMOTE_ADDR", "")) or None)
        try:
            return self._get_response(request)
        finally:
            security.client_address.reset(token)


class RejectedOriginMiddleware:
    """Log origins that CORS does not allow: the browser only tells the page's developer that something failed."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        origin = request.META.get("HTTP_ORIGIN")
        if origin is not None and request.path_info.startswith("/api/"):
            host, scheme = request.META.get("HTTP_HOST"), request.scheme or "http"
            if not is_allowed(origin, allowed=settings.CORS_ALLOWED_ORIGINS, host=host, scheme=scheme):
                rejected_origins.log(origin)
        return self._get_response(request)


class AdminHostMiddleware:
    """Serve the admin under ``ADMIN_HOSTS`` only, and nothing else there. Installed only where that is set.

    The admin's cookies and pages then have an origin of their own. Static files are served before this.
    """

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response
        self._hosts = settings.ENVIRONMENT.admin_hosts

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        host, _ = split_domain_port(request.get_host())
        is_admin = request.path_info == "/admin" or request.path_info.startswith("/admin/")
        if is_admin != validate_host(host, self._hosts):
            raise Http404
        return self._get_response(request)
