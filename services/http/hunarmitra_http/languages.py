"""The language of texts for people: Hindi for a request that prefers it (`Accept-Language`), else English.

Codes, names of fields and other values for programs are the same in each language. English texts are where they are
made; ``hindi`` has the others. The path of locations in front of Django, answers of the server itself (408, 413, 431)
and connections are in English.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter
from typing import Any, Final

from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.translation.trans_real import parse_accept_lang_header
from rest_framework.request import Request

from hunarmitra_http import hindi

HINDI: Final = "hi"
LANGUAGES: Final = ("en", HINDI)


def language_of(request: HttpRequest | Request) -> str:
    """Return the code of the language that the request prefers among ours."""
    for tag, _ in parse_accept_lang_header(request.META.get("HTTP_ACCEPT_LANGUAGE", "").lower()):
        if (code := tag.partition("-")[0]) in LANGUAGES:
            return code
    return LANGUAGES[0]


def label(response: HttpResponseBase, language: str) -> None:
    """Say in the headers of a response that its language was chosen."""
    patch_vary_headers(response, ("Accept-Language",))
    response["Content-Language"] = language


def error_detail(code: str, detail: str, language: str) -> str:
    """Return the text of an error in the language; ``detail`` is the English one."""
    return hindi.ERRORS.get(code, detail) if language == HINDI else detail


def _pattern(template: str) -> re.Pattern[str]:
    """Return a pattern of the messages that the template makes, with its values as named groups."""
    parts = (
        re.escape(text) + (f"(?P<{name}>.+)" if name is not None else "")
        for text, name, _, _ in Formatter().parse(template)
    )
    return re.compile("".join(parts))


_FIELDS: Final = [(_pattern(template), text) for template, text in hindi.FIELDS.items()]


def field_message(message: str, language: str) -> str:
    """Return a message about a field in the language; ``message`` is the English one."""
    if language == HINDI:
        for pattern, text in _FIELDS:
            if found := pattern.fullmatch(message):
                return text.format(**found.groupdict())
    return message


def field_messages(fields: Mapping[str, list[str]], language: str) -> dict[str, list[str]]:
    """Return the messages by field name in the language."""
    return {name: [field_message(message, language) for message in messages] for name, messages in fields.items()}


def notification_texts(title: str, message: str, data: dict[str, Any], language: str) -> tuple[str, str]:
    """Return title and message in the language. Those of an event without a translation stay as they are."""
    texts = hindi.NOTIFICATIONS.get(str(data.get("event_type"))) if language == HINDI else None
    service = data.get("service")
    if texts is None or not service:
        return title, message
    return texts[0], texts[1].format(service=service, worker=data.get("worker") or hindi.THE_WORKER)
