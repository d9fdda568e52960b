"""Every error of the API in one shape: ``{"detail", "code"}``, and ``fields`` when the request itself is wrong."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db import Error as DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from hunarmitra.bookings.errors import (
    BookingError,
    ConflictError,
    InvalidWorkerError,
    NotAllowedError,
    NotVisibleError,
)
from hunarmitra.database.troubles import describe, is_unavailable
from hunarmitra.tracking.judging import TooSoonError
from hunarmitra_http import failures, metrics
from hunarmitra_http.languages import error_detail, field_messages, label, language_of

logger = logging.getLogger(__name__)

API_PREFIX: Final = "/api/"
UNAVAILABLE_RETRY_SECONDS: Final = 2
UNAVAILABLE: Final = {"detail": "The service cannot reach its database; try again.", "code": "unavailable"}
WRONG_REQUEST: Final = "The request is not valid; see fields."

_BOOKING_STATUS: Final[Mapping[type[BookingError], int]] = {
    InvalidWorkerError: 400,
    NotAllowedError: 403,
    NotVisibleError: 404,
    ConflictError: 409,
}


def error_response(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """REST framework's exception handler. Return None for unexpected exceptions: Django answers with 500."""
    response = _response(error)
    if response is not None and (wait := failures.wait_after(error, response.status_code, context)):
        response = _too_many(failures.DETAIL, wait)
    if response is not None and (request := context.get("request")) is not None:
        language = language_of(request)
        response.data["detail"] = error_detail(response.data["code"], response.data["detail"], language)
        if "fields" in response.data:
            response.data["fields"] = field_messages(response.data["fields"], language)
        label(response, language)
    return response


def _response(error: Exception) -> Response | None:
    response = None
    match error:
        case BookingError():
            response = _booking_error(error)
        case TooSoonError():
            metrics.rate_limited("position")
            response = _too_many(str(error), error.wait_seconds)
        case Http404():
            response = _answer(404, "No such resource.", "not_found")
        case PermissionDenied():
            response = _answer(403, "You may not do this.", "permission_denied")
        case exceptions.APIException():
            response = _api_error(error)
        case DatabaseError() if is_unavailable(error):
            logger.error("the database is unavailable: %s", describe(error), exc_info=error)
            response = _unavailable()
        case _:
            pass
    return response


def _answer(status: int, detail: str, code: str, **extra: Any) -> Response:
    return Response({"detail": _encodable(detail), "code": code, **extra}, status=status)


def _encodable(text: str) -> str:
    """Replace lone surrogates: a message may quote JSON input that has them, and UTF-8 cannot encode them."""
    return text.encode("utf-8", "replace").decode()


def _booking_error(error: BookingError) -> Response:
    status = next(status for kind, status in _BOOKING_STATUS.items() if isinstance(error, kind))
    if isinstance(error, InvalidWorkerError):
        return _answer(status, WRONG_REQUEST, error.code, fields={"worker_id": [str(error)]})
    return _answer(status, str(error), error.code)


def _too_many(detail: str, wait_seconds: float | None) -> Response:
    response = _answer(429, detail, "throttled")
    response["Retry-After"] = str(max(1, math.ceil(wait_seconds or 1)))
    return response


def _unavailable() -> Response:
    metrics.database_unavailable()
    response = Response(dict(UNAVAILABLE), status=503)
    response["Retry-After"] = str(UNAVAILABLE_RETRY_SECONDS)
    return response


def _api_error(error: exceptions.APIException) -> Response:
    if isinstance(error, exceptions.Throttled):
        detail = failures.DETAIL if isinstance(error, failures.TooManyFailuresError) else "Too many requests."
        return _too_many(detail, getattr(error, "wait", None))
    if isinstance(error, exceptions.ValidationError):
        return _answer(error.status_code, WRONG_REQUEST, "invalid", fields=_fields(error.detail))
    detail, code = _detail_and_code(error)
    extra: dict[str, Any] = {"fields": {}} if error.status_code == 400 else {}
    response = _answer(error.status_code, detail, code, **extra)
    if challenge := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = challenge
    return response


def _detail_and_code(error: exceptions.APIException) -> tuple[str, str]:
    if isinstance(error.detail, dict):  # simplejwt's, which has both inside
        return str(error.detail.get("detail", error.default_detail)), str(error.detail.get("code", error.default_code))
    return str(error.detail), str(getattr(error.detail, "code", error.default_code))


def _fields(detail: Any) -> dict[str, list[str]]:
    """Return messages by field name, and ``non_field_errors`` for the whole body."""
    if not isinstance(detail, Mapping):
        return {"non_field_errors": _messages(detail)}
    return {str(name): _messages(messages) for name, messages in detail.items()}


def _messages(detail: Any) -> list[str]:
    if isinstance(detail, Mapping):
        return [message for messages in detail.values() for message in _messages(messages)]
    if isinstance(detail, (list, tuple)):
        return [message for messages in detail for message in _messages(messages)]
    return [_encodable(str(detail))]


# ── Django's own error pages, which are HTML except under the API ──────────────────────────────────────────────
def _page(request: HttpRequest, status: int, detail: str, code: str, **extra: Any) -> JsonResponse:
    language = language_of(request)
    response = JsonResponse({"detail": error_detail(code, detail, language), "code": code, **extra}, status=status)
    label(response, language)
    return response


def _concerns_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(API_PREFIX)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400, also for a ``Host`` that is not in ALLOWED_HOSTS."""
    if _concerns_api(request):
        return _page(request, 400, "The request is not valid.", "bad_request", fields={})
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _concerns_api(request):
        return _page(request, 403, "You may not do this.", "permission_denied")
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Also the last route under the API, so that a wrong URL is JSON while DEBUG is on."""
    if _concerns_api(request):
        return _page(request, 404, "No such resource.", "not_found")
    return defaults.page_not_found(request, exception or Http404())


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500, or 503 if the exception, which Django is handling now, says that the database is unavailable."""
    error = sys.exc_info()[1]
    if error is not None and is_unavailable(error):
        metrics.database_unavailable()
        response: HttpResponse = _page(request, 503, **UNAVAILABLE)
        if not _concerns_api(request):
            response = HttpResponse(f"{UNAVAILABLE['detail']}\n", status=503, content_type="text/plain")
        response["Retry-After"] = str(UNAVAILABLE_RETRY_SECONDS)
        return response
    if _concerns_api(request):
        return _page(request, 500, "Something went wrong here; it has been logged.", "error")
    return defaults.server_error(request)
