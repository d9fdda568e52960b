"""Request bodies: limited in size, and JSON as in RFC 8259."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any, Final, NoReturn

from django.conf import settings
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser


class TooLargeError(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self) -> None:
        super().__init__(f"The body is over {settings.ENVIRONMENT.request_max_bytes} bytes.")


class EncodedBodyError(APIException):
    status_code = status.HTTP_415_UNSUPPORTED_MEDIA_TYPE
    default_detail = "The body must not be compressed; send it without Content-Encoding."
    default_code = "unsupported_media_type"


DRAIN_MAX_BYTES: Final = 4 * 1024 * 1024


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class BoundedJSONParser(BaseParser):
    """Read at most ``REQUEST_MAX_BYTES`` of JSON, even if ``Content-Length`` is wrong.

    NaN and Infinity, invalid UTF-8, nesting deeper than the interpreter's stack and integers of more than 4,300 digits
    all give 400.

    Not a subclass of REST framework's JSONParser, which gets a body that Django has read completely.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        _check_encoding(parser_context)
        most = settings.ENVIRONMENT.request_max_bytes
        try:
            body: bytes = b"" if _declared_length(parser_context) > most else stream.read(most + 1)
            if len(body) > most or _declared_length(parser_context) > most:
                _drain(stream)
                raise TooLargeError
        except OSError:
            raise ParseError("The body ended early.") from None
        try:
            return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
        except UnicodeDecodeError:
            raise ParseError("The body is not UTF-8.") from None
        except RecursionError:
            raise ParseError("The body is nested too deeply.") from None
        except ValueError as error:
            reason = f": {error}" if isinstance(error, json.JSONDecodeError) else ""
            raise ParseError(f"The body is not JSON{reason}.") from None


def _drain(stream: IO[Any]) -> None:
    """Read and drop the rest of a body, up to a limit: a server closes the connection when much of it is unread.

    A server may end such a body early.
    """
    left = DRAIN_MAX_BYTES
    with suppress(OSError):
        while left > 0 and (piece := stream.read(min(left, 65536))):
            left -= len(piece)


def _check_encoding(parser_context: Mapping[str, Any] | None) -> None:
    """Raises :class:`EncodedBodyError` for a compressed body, which no limit on bytes would bound."""
    if parser_context is None:
        return
    encoding = parser_context["request"].META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in {"", "identity"}:
        raise EncodedBodyError


def _declared_length(parser_context: Mapping[str, Any] | None) -> int:
    if parser_context is None:
        return 0
    try:
        return int(parser_context["request"].META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0
