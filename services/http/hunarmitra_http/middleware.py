"""What every request passes before Django's own middleware."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from hunarmitra.common.addresses import client_address, is_trusted
from hunarmitra.telemetry.exposition import exposition
from hunarmitra_http.readiness import readiness

Handler = Callable[[HttpRequest], HttpResponseBase]


class ProbeMiddleware:
    """``/livez`` and ``/readyz``, first of all: a kubelet names the pod's address in ``Host``, which
    ALLOWED_HOSTS does not have. With HTTP_ADMIN_PORT they are on that port only, with ``/metrics`` and nothing else;
    without it there are no metrics here: they are none of the public's business."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response
        self._admin_port = settings.ENVIRONMENT.http_admin_port

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # The port that the connection came in at; unlike ``request.get_port()`` no header decides it.
        inner = str(self._admin_port) == request.META.get("SERVER_PORT")
        if self._admin_port and not inner:
            return self._get_response(request)
        if request.path_info == "/livez":
            return HttpResponse("ok\n", content_type="text/plain")
        if request.path_info == "/readyz":
            report = readiness().report()
            return JsonResponse(report, status=200 if report["status"] == "ready" else 503)
        if self._admin_port and request.path_info == "/metrics":
            body, content_type = exposition(request.META.get("HTTP_ACCEPT", ""))
            return HttpResponse(body, content_type=content_type)
        if self._admin_port:
            return HttpResponse("Not found.\n", status=404, content_type="text/plain")
        return self._get_response(request)


class TrustedProxyMiddleware:
    """Puts the client's address into ``REMOTE_ADDR``, and lets nobody but trusted proxies write ``X-Forwarded-…``.

    ``SECURE_PROXY_SSL_HEADER`` believes ``X-Forwarded-Proto`` wherever it comes from, hence the removal.
    """

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        proxies = settings.ENVIRONMENT.trusted_proxies
        peer = str(request.META.get("REMOTE_ADDR", ""))
        forwarded_for = str(request.META.pop("HTTP_X_FORWARDED_FOR", ""))
        if is_trusted(peer, proxies):
            request.META["REMOTE_ADDR"] = client_address(peer, forwarded_for, proxies)
        else:
            request.META.pop("HTTP_X_FORWARDED_PROTO", None)
        return self._get_response(request)
