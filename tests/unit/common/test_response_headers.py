"""The security headers, without a server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from hunarmitra.common.response_headers import ResponseHeadersMiddleware, header_lines, transport_security

TRANSPORT = "Strict-Transport-Security"


@pytest.mark.parametrize(
    ("seconds", "include_subdomains", "preload", "expected"),
    [
        (0, True, True, None),
        (300, False, False, "max-age=300"),
        (31536000, True, False, "max-age=31536000; includeSubDomains"),
        (31536000, True, True, "max-age=31536000; includeSubDomains; preload"),
    ],
)
def test_transport_security(seconds: int, include_subdomains: bool, preload: bool, expected: str | None) -> None:
    headers = dict(transport_security(seconds=seconds, include_subdomains=include_subdomains, preload=preload))
    assert headers.get(TRANSPORT) == expected


def answer(settings: Any, *, debug: bool, secure: bool = True, status: int = 200, **variables: Any) -> HttpResponse:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, debug=debug, **variables)
    settings.DEBUG = debug

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=status, headers={"Cache-Control": "no-cache"})

    response = ResponseHeadersMiddleware(view)(RequestFactory().get("/", secure=secure))
    assert isinstance(response, HttpResponse)
    return response


def test_development_demands_no_https_and_production_does_over_https_only(settings: Any) -> None:
    assert TRANSPORT not in answer(settings, debug=True)
    assert TRANSPORT not in answer(settings, debug=False, secure=False)
    assert answer(settings, debug=False)[TRANSPORT] == "max-age=31536000"
    assert TRANSPORT not in answer(settings, debug=False, hsts_seconds=0)


def test_what_a_view_says_about_itself_stays(settings: Any) -> None:
    assert answer(settings, debug=False)["Cache-Control"] == "no-cache"


def test_djangos_page_for_developers_may_show_its_styles(settings: Any) -> None:
    policy = "Content-Security-Policy"
    assert policy not in answer(settings, debug=True, status=500)
    assert policy in answer(settings, debug=False, status=500)
    assert policy in answer(settings, debug=True)


def test_headers_as_lines() -> None:
    assert "Cache-Control: no-store" in header_lines()
