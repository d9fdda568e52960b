"""The language of texts for people, and what stays the same in each language."""

from __future__ import annotations

import json
import re

import pytest
from django.db import OperationalError
from django.http import Http404, HttpRequest
from django.test import RequestFactory

from hunarmitra.bookings.errors import ConflictError
from hunarmitra.bookings.services import _TITLES
from hunarmitra_http import errors, hindi
from hunarmitra_http.languages import language_of, notification_texts
from tests.unit.test_documents import codes_in_the_source

OF_CONNECTIONS = {
    "forbidden", "full", "invalid_json", "invalid_message", "invalid_token", "rate_limited", "token_expired",
    "too_many_attempts", "too_many_sockets", "too_many_subscriptions", "unauthenticated", "unknown_type",
}  # fmt: skip
"""Codes that only frames have. Frames are in English."""


def asking(header: str | None) -> HttpRequest:
    return RequestFactory().get("/api/v1/x/", headers=None if header is None else {"Accept-Language": header})


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("hi", "hi"),
        ("HI-in", "hi"),
        ("hi-IN,hi;q=0.9,en;q=0.8", "hi"),
        ("en;q=0.8, hi;q=0.9", "hi"),
        ("en, hi", "en"),
        ("ta-IN, hi;q=0.5", "hi"),
        ("ta, fr", "en"),
        ("hi;q=0, en", "en"),
        ("*", "en"),
        (";;;,=q", "en"),
        ("his", "en"),
        ("ta," * 100_000 + "hi", "en"),
    ],
)
def test_the_first_language_that_the_request_prefers_and_we_have(header: str | None, language: str) -> None:
    assert language_of(asking(header)) == language


def test_each_code_of_rest_has_a_hindi_text_and_no_other_has() -> None:
    assert set(hindi.ERRORS) == codes_in_the_source() - OF_CONNECTIONS
    for text in hindi.ERRORS.values():
        assert re.search(r"[\u0900-\u097f].*।$", text), text


def test_each_notification_has_a_hindi_text() -> None:
    assert set(hindi.NOTIFICATIONS) == set(_TITLES)
    for texts in hindi.NOTIFICATIONS.values():
        assert all(re.search(r"[\u0900-\u097f]", text) for text in texts)


def test_an_error_is_in_the_language_of_its_request_and_its_code_is_not() -> None:
    error = ConflictError("illegal_transition", "A booking that is arrived cannot become confirmed.")
    for header, language, detail in [
        ("en", "en", "A booking that is arrived cannot become confirmed."),
        ("hi", "hi", hindi.ERRORS["illegal_transition"]),
    ]:
        response = errors.error_response(error, {"request": asking(header)})
        assert response is not None
        assert response.data == {"detail": detail, "code": "illegal_transition"}
        assert response["Content-Language"] == language
        assert "Accept-Language" in response["Vary"]


def test_a_page_of_django_is_in_the_language_of_its_request() -> None:
    response = errors.not_found(asking("hi"), Http404())
    assert json.loads(response.content) == {"detail": hindi.ERRORS["not_found"], "code": "not_found"}
    assert response["Content-Language"] == "hi"


def test_an_unavailable_database_does_not_keep_the_language_of_one_request() -> None:
    errors.error_response(OperationalError("x"), {"request": asking("hi")})
    assert "database" in errors.UNAVAILABLE["detail"]


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (
            {"event_type": "booking_on_the_way", "service": "Fan repair", "worker": "Ravi"},
            ("रास्ते में", "Fan repair: Ravi रास्ते में हैं।"),
        ),
        ({"event_type": "booking_arrived", "service": "{x}", "worker": None}, ("पहुँच गए", "{x}: कारीगर पहुँच गए हैं।")),
        ({"event_type": "booking_delayed", "service": "Fan repair", "worker": "Ravi"}, ("Title", "Message")),
        ({"event_type": "booking_arrived"}, ("Title", "Message")),
        ({}, ("Title", "Message")),
    ],
)
def test_a_notification_in_hindi(data: dict[str, object], texts: tuple[str, str]) -> None:
    assert notification_texts("Title", "Message", data, "hi") == texts
    assert notification_texts("Title", "Message", data, "en") == ("Title", "Message")
