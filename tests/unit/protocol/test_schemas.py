"""The schemas of frames compared with the catalogue, the document's examples and each other; the files made of them."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from hunarmitra.protocol import asyncapi
from hunarmitra.protocol.frames import CATALOGUE, OMIT, Frame
from hunarmitra.protocol.schemas import CLIENT_MESSAGES, EVENT_TYPES, KEYS, frame_example, frame_schema
from hunarmitra.protocol.statuses import Status
from tests.support import contract
from tests.support.frames import problems_of_frame
from tests.support.surroundings import REPOSITORY
from tools import typescript

every_frame = pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.__name__)


@every_frame
def test_every_key_of_the_catalogue_is_described_and_no_other(kind: type[Frame]) -> None:
    for closed in (False, True):
        schema = frame_schema(kind, closed=closed)
        Draft202012Validator.check_schema(schema)
        assert list(schema["properties"]) == ["type", *(item.name for item in fields(kind))]
        optional = {item.name for item in fields(kind) if item.default is OMIT}
        assert set(schema["required"]) == set(schema["properties"]) - optional
        assert closed == ("additionalProperties" in schema)


def test_no_description_is_left_over() -> None:
    assert set(KEYS) == {item.name for kind in CATALOGUE for item in fields(kind)} - {"location"}
    assert set(EVENT_TYPES) == {f"booking_{status}" for status in Status} | {"booking_assigned"}


@every_frame
def test_every_example_is_such_a_frame_and_without_any_of_its_keys_none(kind: type[Frame]) -> None:
    example = frame_example(kind)
    assert problems_of_frame(example) == []
    for key in frame_schema(kind)["required"]:
        if (kind.__name__, key) != ("BookingConnected", "booking_id"):
            assert problems_of_frame({name: value for name, value in example.items() if name != key}), key
    assert problems_of_frame({**example, "surprise": 1})
    Draft202012Validator(frame_schema(kind)).validate({**example, "surprise": 1})


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 0},
        {"seq": "4"},
        {"status": "done"},
        {"event_type": "booking_done"},
        {"timestamp": "2026-01-03T11:00:00+05:30"},
        {"timestamp": "yesterday"},
        {"booking_id": "abc-123-def-456"},
        {"eta_minutes": 0},
        {"eta_minutes": None},
    ],
)
def test_a_frame_that_breaks_the_contract_is_noticed(change: dict[str, Any]) -> None:
    [kind] = [kind for kind in CATALOGUE if kind.type == "booking_status"]
    assert problems_of_frame({**frame_example(kind), **change})


def test_the_documents_examples_satisfy_the_published_schemas_as_far_as_they_go() -> None:
    """The examples have placeholders for ids, and lack the keys that wire.md adds."""
    by_type = {kind.type: frame_schema(kind) for kind in reversed(CATALOGUE)}
    examples = [value for _, value in contract.json_examples() if value.get("type") in by_type]
    assert examples
    for example in examples:
        schema = by_type[example["type"]]
        Draft202012Validator({**schema, "required": []}).validate(example)


def value_of(schema: dict[str, Any]) -> Any:
    """A value that satisfies the schema of a key of a client message."""
    if "anyOf" in schema:
        return value_of(schema["anyOf"][-1])
    if schema["type"] == "array":
        return [value_of(schema["items"])] * schema.get("minItems", 1)
    if schema["type"] == "object":
        return {"6f1c2f6e-8f6b-4f0e-9a53-0f8c0a6c3b52": value_of(schema["additionalProperties"])}
    if schema["type"] != "string":
        return 1
    texts = {"uuid": "6f1c2f6e-8f6b-4f0e-9a53-0f8c0a6c3b52", "date-time": "2026-01-03T11:05:00Z"}
    return schema.get("const") or schema.get("enum", [texts.get(schema.get("format", ""), "x")])[0]


@pytest.mark.parametrize("message", CLIENT_MESSAGES, ids=lambda message: str(message.name))
def test_client_messages(message: Any) -> None:
    schema = Draft202012Validator(message.schema())
    keys = {name: value_of(key) for name, key in message.keys.items()}
    schema.validate({"type": message.name, **keys})
    with pytest.raises(ValidationError):
        schema.validate({"type": "other", **keys})


@pytest.mark.parametrize(
    ("path", "text"),
    [("clients/js/src/events.d.ts", typescript.render()), ("docs/asyncapi.json", asyncapi.render())],
    ids=["types", "asyncapi"],
)
def test_what_is_generated_is_up_to_date(path: str, text: str) -> None:
    assert (REPOSITORY / path).read_text() == text, "run `make generated`"


def test_the_description_names_everything() -> None:
    described = json.loads(asyncapi.render())
    messages = described["components"]["messages"]
    assert {kind.__name__ for kind in CATALOGUE} <= set(messages)
    assert {message["name"] for message in messages.values()} == {
        *(kind.type for kind in CATALOGUE),
        *(message.name for message in CLIENT_MESSAGES),
    }
    assert {channel["address"] for channel in described["channels"].values()} == {
        "/ws/bookings/{booking_id}/",
        "/ws/notifications/",
        "/ws/",
    }
