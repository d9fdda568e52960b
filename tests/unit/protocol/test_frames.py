"""The catalogue of frames compared with the contract: every example, every key, and no others."""

from __future__ import annotations

import json
import re
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra.protocol.frames import (
    CATALOGUE,
    OMIT,
    Authenticated,
    BookingConnected,
    BookingStatusChanged,
    Error,
    LocationUpdated,
    MarkedRead,
    NotificationCreated,
    NotificationsConnected,
    Pong,
    Reconnect,
    ResyncRequired,
    encode,
)
from hunarmitra.protocol.statuses import Status
from tests.support import contract

EXAMPLES = dict(contract.json_examples())
# The keys that wire.md adds.
ADDED = {
    "booking_status": {"seq", "eta_minutes"},
    "location_update": {"eta_minutes", "accuracy", "heading", "speed", "uncertain"},
    "connection_established": {
        "seq",
        "status",
        "location",
        "replay",
        "heartbeat_seconds",
        "expires_at",
        "server_time",
    },
}
LOCATION = LocationUpdated(
    booking_id="abc-123-def-456", lat=28.6139, lng=77.2090, timestamp="2026-01-03T11:05:00Z", actor="Worker Name"
)
CONNECTED: dict[str, Any] = {
    "seq": 3,
    "replay": 2,
    "heartbeat_seconds": 25,
    "expires_at": "2026-01-03T11:20:00Z",
    "server_time": "2026-01-03T11:05:00Z",
}
FRAMES = {
    "Booking Status Update": BookingStatusChanged(
        booking_id="abc-123-def-456",
        status="on_the_way",
        event_type="booking_on_the_way",
        actor="Worker Name",
        timestamp="2026-01-03T11:00:00Z",
        seq=3,
    ),
    "Location Update": LOCATION,
    "Connection Established": BookingConnected(
        booking_id="abc-123-def-456", status="on_the_way", location=LOCATION.to_wire(), **CONNECTED
    ),
}


def test_the_document_has_the_examples_that_are_tested_here() -> None:
    assert set(EXAMPLES) == {*FRAMES, "Update Worker Location"}
    assert len(contract.json_examples()) == 5  # the tracking endpoint has a request and an answer


@pytest.mark.parametrize("heading", FRAMES)
def test_a_frame_has_every_key_of_its_example_with_the_same_value(heading: str) -> None:
    example, frame = EXAMPLES[heading], json.loads(encode(FRAMES[heading]))
    assert {key: frame[key] for key in example} == example
    assert {type(frame[key]) for key in example} == {type(value) for value in example.values()}
    assert set(frame) - set(example) <= ADDED[frame["type"]]


def test_the_documents_keys_come_first_and_in_its_order() -> None:
    for heading, frame in FRAMES.items():
        example = EXAMPLES[heading]
        assert list(frame.to_wire())[: len(example)] == list(example), heading


def test_every_status_of_the_document_exists() -> None:
    listed = re.findall(r"^- `([a-z_]+)` - ", contract.text_of("realtime-api.md"), re.MULTILINE)
    assert listed == [status.value for status in Status]


def test_the_keys_that_the_wire_page_gives() -> None:
    notification = NotificationCreated(
        seq=1, id="n", title="t", message="m", data={}, created_at="2026-01-03T11:05:00Z"
    )
    assert list(notification.to_wire()) == ["type", "seq", "id", "title", "message", "data", "created_at"]
    notifications = NotificationsConnected(unread=0, **CONNECTED).to_wire()
    assert notifications["message"] == "Connected to notifications"
    assert "booking_id" not in notifications
    assert {"title", "unread", *CONNECTED} <= set(notifications)
    assert ResyncRequired(seq=4).to_wire() == {"type": "resync_required", "seq": 4}
    assert Pong().to_wire() == {"type": "pong"}
    assert Authenticated(expires_at="z").to_wire() == {"type": "authenticated", "expires_at": "z"}
    assert MarkedRead(id="n", unread=2).to_wire() == {"type": "marked_read", "id": "n", "unread": 2}
    assert Reconnect(after_ms=5).to_wire() == {"type": "reconnect", "after_ms": 5}
    assert Error(code="c", message="m").to_wire() == {"type": "error", "code": "c", "message": "m"}


def test_an_optional_key_is_left_out_not_null() -> None:
    assert "eta_minutes" not in LOCATION.to_wire()
    with_eta = LocationUpdated(
        **{item.name: getattr(LOCATION, item.name) for item in fields(LOCATION)} | {"eta_minutes": 4}
    )
    assert with_eta.to_wire()["eta_minutes"] == 4


def test_the_catalogue_is_complete_and_frozen() -> None:
    import hunarmitra.protocol.frames as module

    defined = {
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, module.Frame) and item is not module.Frame
    }
    assert set(CATALOGUE) == defined
    for frame in CATALOGUE:
        assert is_dataclass(frame)
        assert frame.__dataclass_params__.frozen  # type: ignore[attr-defined]
        assert frame.type


def test_encoding_is_compact_readable_json() -> None:
    assert encode(Error(code="c", message="कुशल")) == '{"type":"error","code":"c","message":"कुशल"}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_json_does_not_have_is_never_sent(value: float) -> None:
    frame = LocationUpdated(booking_id="b", lat=value, lng=0.0, timestamp="t", actor="a")
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode(frame)


@given(st.text(), st.text(), st.integers(0, 2**62))
def test_every_name_survives(actor: str, message: str, seq: int) -> None:
    frame = BookingStatusChanged(
        booking_id="b", status="confirmed", event_type="booking_confirmed", actor=actor, timestamp=message, seq=seq
    )
    decoded = json.loads(encode(frame))
    assert (decoded["actor"], decoded["timestamp"], decoded["seq"]) == (actor, message, seq)
    assert OMIT not in decoded.values()


# ── close codes ─────────────────────────────────────────────────────────────────────────────────────────────
def test_every_close_code_of_the_contract_exists_with_a_reason_that_fits_a_close_frame() -> None:
    listed = {int(row[0]) for row in contract.rows("wire.md", "code")}
    assert listed == {code.value for code in CloseCode if code.value >= 4000}
    assert {4001, 4003} <= {
        int(code) for code in re.findall(r"^- `(4\d{3})` - ", contract.text_of("realtime-api.md"), re.MULTILINE)
    }
    for code in CloseCode:
        assert 0 < len(code.reason.encode()) <= 123


@pytest.mark.parametrize("text", ["\ud800", "é\udfff", "𝄞", "नमस्ते", "\ud834\udd1e"], ids=ascii)
def test_every_text_can_be_encoded_and_comes_back(text: str) -> None:
    """A client may send half a surrogate pair in an id, which UTF-8 does not have."""
    sent = encode(Error(code="invalid_message", message="x", id=text)).encode()
    assert json.loads(sent)["id"] == json.loads(json.dumps(text))
