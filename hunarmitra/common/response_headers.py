"""The security headers of every HTTP response. Nothing else in the code decides about them.

A response that says nothing about itself is data: no browser may store it, frame it or run anything in it. A view that
answers with a document sets its own ``Content-Security-Policy`` and ``Permissions-Policy``, and one that answers with
public data its own ``Cache-Control``. The functions only add what is missing.

Django's middleware is not the only sender: locations are answered in front of Django, and a request that is too large,
too slow or malformed by the servers themselves. All of them take the headers from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from hunarmitra.common.urls import split_url

Headers = tuple[tuple[str, str], ...]
Handler = Callable[[HttpRequest], HttpResponseBase]

EVERYWHERE: Final[Headers] = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("X-Frame-Options", "DENY"),
)
DATA: Final[Headers] = (
    *EVERYWHERE,
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)
"""Answers of the API, errors, probes: all that is neither a document nor a static file."""

PERMISSIONS: Final = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
"""Documents that ask the browser for nothing."""

PERMISSIONS_WITH_LOCATION: Final = PERMISSIONS.replace("geolocation=()", "geolocation=(self)")
"""The page: a worker's browser sends its location."""

_OWN: Final = "'self'"


def document_policy(tile_url: str = "") -> str:
    """Return the ``Content-Security-Policy`` of a document: only its own files, no inline scripts or styles.

    Images may also come from the origin of ``tile_url``.
    """
    images = [_OWN, "data:"]
    if tile_url:
        parts = split_url(tile_url)
        images.append(f"{parts.scheme}://{parts.netloc}")
    directives = {
        "default-src": ["'none'"],
        "script-src": [_OWN],
        "style-src": [_OWN],
        "img-src": images,
        "connect-src": [_OWN],
        "manifest-src": [_OWN],
        "worker-src": [_OWN],
        "base-uri": ["'none'"],
        "form-action": [_OWN],
        "frame-ancestors": ["'none'"],
    }
    return "; ".join(f"{name} {' '.join(words)}" for name, words in directives.items())


def transport_security(*, seconds: int, include_subdomains: bool, preload: bool) -> Headers:
    """Return ``Strict-Transport-Security`` (RFC 6797) for responses over HTTPS; nothing for 0 seconds."""
    if not seconds:
        return ()
    words = [f"max-age={seconds}"]
    words += ["includeSubDomains"] * include_subdomains + ["preload"] * preload
    return (("Strict-Transport-Security", "; ".join(words)),)


def configured_transport_security() -> Headers:
    environment = settings.ENVIRONMENT
    return transport_security(
        seconds=environment.effective_hsts_seconds,
        include_subdomains=environment.hsts_include_subdomains,
        preload=environment.hsts_preload,
    )


def header_lines(headers: Headers = DATA) -> tuple[str, ...]:
    """Return the headers as lines, for a server that answers before the application. It does not know the scheme."""
    return tuple(f"{name}: {value}" for name, value in headers)


class ResponseHeadersMiddleware:
    """Add the headers to every response of Django; the first middleware, so that errors of all others have them."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response
        self._over_https = configured_transport_security()
        self._static = str(settings.STATIC_URL)
        self._admin: Mapping[str, str] = {
            "Content-Security-Policy": document_policy(),
            "Permissions-Policy": PERMISSIONS,
        }

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        headers = response.headers
        path = request.path_info
        if path.startswith("/admin") and response.status_code < 400:
            for name, value in self._admin.items():
                headers.setdefault(name, value)
        is_file = path.startswith(self._static) and response.status_code < 400
        for name, value in EVERYWHERE if is_file or _is_traceback(response) else DATA:
            headers.setdefault(name, value)
        if self._over_https and request.is_secure():
            for name, value in self._over_https:
                headers[name] = value
        return response


def _is_traceback(response: HttpResponseBase) -> bool:
    """Whether this is Django's page for developers, which has its styles and scripts inside."""
    return settings.DEBUG and response.status_code >= 400 and "text/html" in response.headers.get("Content-Type", "")
