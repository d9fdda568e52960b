"""Forwarded headers, which count only from trusted proxies."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from hunarmitra.common.addresses import parse_networks
from hunarmitra.common.origins import RejectedOrigins
from hunarmitra_http import middleware
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
        ("10.1.1.1", "198.51.100.7:51234", "198.51.100.7", True),
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


@pytest.fixture
def behind_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, trusted_proxies=PROXIES))


def passed(peer: str, **headers: str) -> HttpRequest:
    """Return the request that the view receives."""
    seen: list[HttpRequest] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse()

    request = RequestFactory().get("/", headers=headers)
    request.META["REMOTE_ADDR"] = peer
    TrustedProxyMiddleware(view)(request)
    return seen[0]


@pytest.mark.usefixtures("behind_proxies")
@pytest.mark.parametrize(
    ("proto", "secure"),
    [
        ("https", True),
        ("HTTPS", True),
        ("https,http", True),
        ("https, https", True),
        ("wss", True),
        ("http,https", False),
        ("ws", False),
        ("", False),
    ],
)
def test_the_scheme_is_read_as_the_handshake_reads_it(proto: str, secure: bool) -> None:
    assert passed("10.1.1.1", **{"X-Forwarded-Proto": proto}).is_secure() is secure
    assert not passed("198.51.100.9", **{"X-Forwarded-Proto": proto}).is_secure()


@pytest.mark.usefixtures("behind_proxies")
def test_forwarded_is_believed_from_trusted_proxies() -> None:
    forwarded = 'for="198.51.100.7:4711";proto=https'
    request = passed("10.1.1.1", Forwarded=forwarded)
    assert (request.META["REMOTE_ADDR"], request.is_secure()) == ("198.51.100.7", True)
    request = passed("198.51.100.9", Forwarded=forwarded)
    assert (request.META["REMOTE_ADDR"], request.is_secure()) == ("198.51.100.9", False)


@pytest.mark.parametrize(
    ("path", "origin", "logged"),
    [
        ("/api/v1/bookings/", "https://unknown.example", True),
        ("/api/v1/bookings/", "http://testserver", False),
        ("/api/v1/bookings/", "https://app.example.org", False),
        ("/admin/", "https://unknown.example", False),
    ],
)
def test_an_origin_that_cors_does_not_allow_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, path: str, origin: str, logged: bool
) -> None:
    monkeypatch.setattr(middleware, "rejected_origins", RejectedOrigins())
    monkeypatch.setattr(settings, "CORS_ALLOWED_ORIGINS", ["https://app.example.org"])
    request = RequestFactory().get(path, headers={"Origin": origin, "Host": "testserver"})
    middleware.RejectedOriginMiddleware(lambda request: HttpResponse())(request)
    assert ("add it to ALLOWED_ORIGINS" in caplog.text) is logged
