"""The responses to all exceptions that a view may raise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError, ProgrammingError
from django.http import Http404, HttpResponse
from django.test import RequestFactory
from rest_framework import exceptions
from rest_framework_simplejwt.exceptions import InvalidToken

from hunarmitra.bookings.errors import ConflictError, InvalidWorkerError, NotAllowedError, NotVisibleError
from hunarmitra.tracking.judging import TooSoonError
from hunarmitra_http import errors
from hunarmitra_http.parsers import TooLargeError


def answer(error: Exception) -> tuple[int, dict[str, Any], dict[str, str]]:
    response = errors.error_response(error, {})
    assert response is not None
    return response.status_code, response.data, dict(response.items())


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotVisibleError("x"), 404, "not_found"),
        (NotAllowedError("x"), 403, "permission_denied"),
        (ConflictError("stale_position", "x"), 409, "stale_position"),
        (InvalidWorkerError("x"), 400, "invalid"),
        (Http404("x"), 404, "not_found"),
        (PermissionDenied("x"), 403, "permission_denied"),
        (exceptions.ParseError("x"), 400, "parse_error"),
        (exceptions.NotAuthenticated(), 401, "not_authenticated"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported_media_type"),
        (InvalidToken("x"), 401, "token_not_valid"),
        (TooLargeError(), 413, "too_large"),
        (OperationalError("x"), 503, "unavailable"),
        (InterfaceError("x"), 503, "unavailable"),
        (exceptions.Throttled(wait=1.5), 429, "throttled"),
        (TooSoonError(0.2), 429, "throttled"),
    ],
)
def test_each_error_has_its_status_and_the_one_shape(error: Exception, status: int, code: str) -> None:
    got_status, body, _ = answer(error)
    assert (got_status, body["code"]) == (status, code)
    assert set(body) == ({"detail", "code", "fields"} if status == 400 else {"detail", "code"})
    assert isinstance(body["detail"], str)
    assert body["detail"]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (TooSoonError(0.001), "1"), (TooSoonError(1.0), "1"), (TooSoonError(1.01), "2"), (TooSoonError(2), "2"),
        (exceptions.Throttled(wait=59.2), "60"), (exceptions.Throttled(), "1"), (OperationalError(), "2"),
    ],
)  # fmt: skip
def test_retry_after_is_whole_seconds_rounded_up(error: Exception, seconds: str) -> None:
    assert answer(error)[2]["Retry-After"] == seconds


@pytest.mark.parametrize(
    ("detail", "fields"),
    [
        ({"lat": ["a", "b"]}, {"lat": ["a", "b"]}),
        ({"lat": "a"}, {"lat": ["a"]}),
        (["a"], {"non_field_errors": ["a"]}),
        ({"owner": {"name": ["a"], "id": ["b"]}}, {"owner": ["a", "b"]}),
        ({"lat": ["\ud800"]}, {"lat": ["?"]}),
    ],
)
def test_fields_are_lists_of_sentences(detail: Any, fields: dict[str, list[str]]) -> None:
    body = answer(exceptions.ValidationError(detail))[1]
    assert body["fields"] == fields
    assert json.dumps(body, ensure_ascii=False).encode()


@pytest.mark.parametrize("error", [ValueError("x"), ProgrammingError("no such table"), SuspiciousOperation("x")])
def test_what_nobody_foresaw_is_djangos_to_report(error: Exception) -> None:
    assert errors.error_response(error, {}) is None


@pytest.mark.parametrize(
    ("page", "status", "code"),
    [
        (lambda request: errors.bad_request(request, ValueError()), 400, "bad_request"),
        (lambda request: errors.permission_denied(request, PermissionDenied()), 403, "permission_denied"),
        (lambda request: errors.not_found(request, Http404()), 404, "not_found"),
        (errors.server_error, 500, "error"),
    ],
)
def test_djangos_pages_are_json_under_the_api_and_html_elsewhere(page: Any, status: int, code: str) -> None:
    under_api: HttpResponse = page(RequestFactory().get("/api/v1/x"))
    assert under_api.status_code == status
    body = json.loads(under_api.content)
    assert body["code"] == code
    assert ("fields" in body) == (status == 400)
    elsewhere: HttpResponse = page(RequestFactory().get("/admin/x"))
    assert elsewhere.status_code == status
    assert elsewhere["Content-Type"].startswith("text/html")
