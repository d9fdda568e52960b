"""Forwarded headers, believed from trusted proxies only."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from hunarmitra.common.addresses import parse_networks
from hunarmitra_http.middleware import TrustedProxyMiddleware

PROXIES = parse_networks(["10.0.0.0/8", "::1"])


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address", "secure"),
    [
        ("10.1.1.1", "198.51.100.7", "198.51.100.7", True),
        ("10.1.1.1", "1.1.1.1, 198.51.100.7, 10.2.2.2", "198.51.100.7", True),
        ("::ffff:10.1.1.1", "2001:db8::1", "2001:db8::1", True),
        ("10.1.1.1", "", "10.1.1.1", True),
        ("10.1.1.1", "nonsense", "10.1.1.1", True),
        ("198.51.100.9", "198.51.100.7", "198.51.100.9", False),
        ("", "198.51.100.7", "", False),
    ],
)
def test_who_is_believed(
    monkeypatch: pytest.MonkeyPatch, peer: str, forwarded_for: str, address: str, secure: bool
) -> None:
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, trusted_proxies=PROXIES))
    seen: list[HttpRequest] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse()

    request = RequestFactory().get("/", headers={"X-Forwarded-For": forwarded_for, "X-Forwarded-Proto": "https"})
    request.META["REMOTE_ADDR"] = peer
    TrustedProxyMiddleware(view)(request)
    assert (seen[0].META["REMOTE_ADDR"], seen[0].is_secure()) == (address, secure)
    assert "HTTP_X_FORWARDED_FOR" not in seen[0].META
