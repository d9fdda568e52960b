"""The messages in `fields` of a 400: each has a Hindi text, and English is as it was."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from django.test import RequestFactory
from rest_framework.exceptions import ValidationError
from rest_framework.serializers import Serializer

import hunarmitra.bookings.services
import hunarmitra_http
from hunarmitra.common.plain_text import hidden_character_error
from hunarmitra_http import errors, hindi
from hunarmitra_http.languages import field_message
from hunarmitra_http.serializers.tracking import readings_of

SERVICE = Path(hunarmitra_http.__file__).parent
SOURCES = {path: path.read_text() for path in SERVICE.rglob("*.py")}
DEVANAGARI = re.compile(r"[\u0900-\u097f]")
CHECKED = re.compile(r"\b(?:checked\(|request=)(\w+Serializer)\b|(\w+Serializer)\(data=")
TAKES_INPUT = sorted({name for text in SOURCES.values() for pair in CHECKED.findall(text) for name in pair if name})
IN_AN_HOUR = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
WRONG: list[Any] = [
    None, "", " ", 5, -1, 1.5, 10**30, -(10**30), 1e300, float("inf"), True, [], {}, "x", "x" * 100_000, "1.0000001",
    "a\x00b", "a\ud800b", "a\u202eb", "2026-01-03", "2026-01-03T11:05:00", IN_AN_HOUR,
]  # fmt: skip


def serializer_of(name: str) -> type[Serializer[Any]]:
    modules = [importlib.import_module(f"hunarmitra_http.serializers.{path.stem}") for path in SOURCES
               if path.parent.name == "serializers" and path.stem != "__init__"]  # fmt: skip
    (kind,) = {getattr(module, name) for module in modules if hasattr(module, name)}
    assert isinstance(kind, type)
    assert issubclass(kind, Serializer)
    return kind


def produced() -> Iterator[str]:
    """Each message that wrong input gets from a serializer of the API: of the whole body, and of each field."""
    for name in TAKES_INPUT:
        kind = serializer_of(name)
        bodies: list[Any] = [[], "x", None, {}, *({field: value} for field in kind().fields for value in WRONG)]
        for body in bodies:
            serializer = kind(data=body)
            if not serializer.is_valid():
                yield from texts(serializer.errors)
    readings: list[Any]
    for readings in ([], [{}] * 501):
        with pytest.raises(ValidationError) as error:
            readings_of(readings)
        yield from texts(error.value.detail)


def texts(detail: Any) -> list[str]:
    return [message for messages in errors._fields(detail).values() for message in messages]


def plain(template: str) -> str:
    """The template without the formats of its values."""
    return "".join(text + ("{}" if name is not None else "") for text, name, _, _ in Formatter().parse(template))


def written() -> Iterator[str]:
    """Each message that the source gives to an error of a field, as a template."""
    for source in (*SOURCES.values(), Path(hunarmitra.bookings.services.__file__).read_text()):
        module = ast.parse(source)
        constants = {
            name: text
            for node in module.body
            if isinstance(node, ast.Assign)
            for name, text in [(ast.unparse(node.targets[0]), node.value)]
        }
        for node in ast.walk(module):
            match node:
                case ast.Call(func=ast.Name("ValidationError" | "InvalidWorkerError"), args=[given, *_]):
                    yield from literals(given, constants)
                case ast.Call(func=ast.Attribute(ast.Name("serializers"), "ValidationError"), args=[given, *_]):
                    yield from literals(given, constants)
                case _:
                    pass


def literals(given: ast.expr, constants: dict[str, ast.expr]) -> Iterator[str]:
    match given:
        case ast.Constant(str(text)):
            yield text
        case ast.JoinedStr(parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
        case ast.Name(name):
            yield from literals(constants[name], constants)
        case ast.Dict(values=items) | ast.List(elts=items):
            for item in items:
                yield from literals(item, constants)
        case ast.Call(func=ast.Name("hidden_character_error")):
            yield hidden_character_error("{}")
        case _:
            raise AssertionError(f"this test does not understand the message {ast.unparse(given)}")


def test_each_serializer_that_reads_input_is_tried() -> None:
    assert {"OrderSerializer", "StatusChangeSerializer", "AssignmentSerializer", "ReadingSerializer"} <= {*TAKES_INPUT}
    assert len(TAKES_INPUT) >= 9


def test_each_message_of_each_field_has_a_hindi_text() -> None:
    messages = {*produced()}
    assert len(messages) > 30
    assert [text for text in messages if not DEVANAGARI.search(field_message(text, "hi"))] == []
    assert all(field_message(text, "en") == text for text in messages)


def test_each_template_of_the_fields_has_a_hindi_text_also_one_that_no_input_gets() -> None:
    known = {plain(template) for template in hindi.FIELDS}
    fields = [field for name in TAKES_INPUT for field in serializer_of(name)().fields.values()]
    used = {key for field in fields for key in ("required", "null", *own_errors(field))}
    assert used > {"required", "null", "invalid", "range", "below", "places", "naive", "infinite", "blank"}
    templates = {field.error_messages[key] for field in fields for key in used & field.error_messages.keys()}
    wanting = {text for text in map(str, templates) if plain(text) not in known and field_message(text, "hi") == text}
    assert wanting == set()


def own_errors(field: Any) -> set[str]:
    """The keys of the field's messages. Of a text's, the shortest length is not used: no serializer sets it."""
    return {key for kind in type(field).__mro__ for key in getattr(kind, "default_error_messages", {})} - {"min_length"}


def test_each_message_in_the_source_has_a_hindi_text() -> None:
    templates = {*written()}
    assert {
        "Give cursor or page, not both.",
        "No active worker has this id.",
        "Must have 1 to {} locations.",
    } <= templates
    assert templates - {plain(template) for template in hindi.FIELDS} == set()


def test_no_hindi_text_is_left_over() -> None:
    messages = {*produced(), *written()}
    templates = [plain(template) for template in hindi.FIELDS]
    found = {text: re.compile(re.escape(text).replace(r"\{\}", ".+")) for text in templates}
    assert [text for text in templates if not any(found[text].fullmatch(message) for message in messages)] == []


def test_values_stay_as_they_are() -> None:
    for english, hindi_text in [
        ("Must be one of requested, confirmed.", "यह इनमें से एक होना चाहिए: requested, confirmed।"),
        ("Must be at least 0 and less than 360.", "यह कम से कम 0 और 360 से कम होना चाहिए।"),
        ("Something that is not ours.", "Something that is not ours."),
        ("{x} Must be a UUID.", "{x} Must be a UUID."),
    ]:
        assert field_message(english, "hi") == hindi_text


def test_a_wrong_request_is_answered_in_its_language_with_the_same_names() -> None:
    detail = {"lat": ["Must be from -90 to 90."], "Idempotency-Key": ["Must be 1 to 200 visible ASCII characters."]}
    bodies = []
    for language in ("en", "hi"):
        request = RequestFactory().get("/api/v1/x/", headers={"Accept-Language": language})
        response = errors.error_response(ValidationError(detail), {"request": request})
        assert response is not None
        bodies.append(response.data)
    english, hindi_body = bodies
    assert english == {"detail": errors.WRONG_REQUEST, "code": "invalid", "fields": detail}
    assert (hindi_body["code"], [*hindi_body["fields"]]) == ("invalid", [*detail])
    assert hindi_body["fields"]["lat"] == ["यह -90 से 90 तक होना चाहिए।"]
