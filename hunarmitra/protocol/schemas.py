"""JSON Schemas of every frame and client message, made from the catalogue. Pure, like the catalogue itself.

A key means the same in every frame, so it is described once, here; a frame's own fields decide which keys it has and
which of them may be missing. ``asyncapi.py`` and ``typescript.py`` write what clients read from these.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from hunarmitra.protocol import frames
from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra.protocol.frames import CATALOGUE, OMIT, Frame
from hunarmitra.protocol.statuses import Status

Schema = dict[str, Any]

STATUSES: Final = tuple(status.value for status in Status)
EVENT_TYPES: Final = ("booking_requested", "booking_assigned", *(f"booking_{status}" for status in STATUSES[1:]))
TIMESTAMP: Final[Schema] = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$",
    "description": "RFC 3339, UTC, ending in `Z`.",
}
_UUID: Final[Schema] = {"type": "string", "format": "uuid"}
CHANNELS: Final = ("booking", "notifications", "live")
SINCE: Final[Schema] = {
    "type": "integer",
    "minimum": 0,
    "description": "Number of the last event processed: exactly the later ones follow. 0 asks for all.",
}


def _text(description: str) -> Schema:
    return {"type": "string", "minLength": 1, "description": description}


def _count(minimum: int, description: str) -> Schema:
    return {"type": "integer", "minimum": minimum, "description": description}


def _moment(description: str) -> Schema:
    return {**TIMESTAMP, "description": description}


KEYS: Final[dict[str, Schema]] = {
    "booking_id": _UUID,
    "channel": {
        "type": "string",
        "enum": list(CHANNELS),
        "description": "The kind of channel. Frames of notifications have it on `/ws/` only.",
    },
    "id": _UUID,
    "status": {"type": "string", "enum": list(STATUSES)},
    "event_type": {
        "type": "string",
        "enum": list(EVENT_TYPES),
        "description": "`booking_assigned` carries the status that the booking has; every other type is "
        "`booking_<status>`.",
    },
    "actor": {
        "type": "string",
        "description": "The display name of the person who acted, `System` for an automatic change.",
    },
    "timestamp": TIMESTAMP,
    "created_at": TIMESTAMP,
    "eta_minutes": _count(1, "Minutes until the worker arrives, if known."),
    "lat": {"type": "number", "minimum": -90, "maximum": 90, "description": "Degrees (WGS 84)."},
    "lng": {"type": "number", "minimum": -180, "maximum": 180, "description": "Degrees (WGS 84)."},
    "accuracy": {
        "type": "number",
        "minimum": 0,
        "maximum": 100_000,
        "description": "Radius in metres in which the phone is with a probability of 68 %.",
    },
    "heading": {
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 360,
        "description": "Degrees clockwise from north.",
    },
    "speed": {"type": "number", "minimum": 0, "maximum": 150, "description": "Metres per second."},
    "uncertain": {
        "type": "boolean",
        "description": "`true` for a location too vague for a marker (worse than 200 m, or at 0,0); else missing.",
    },
    "seq": _count(0, "The newest event number."),
    "title": _text("For people."),
    "message": _text("For people."),
    "data": {"type": "object", "description": "Data for programs."},
    "replay": _count(0, "How many events follow after `since`."),
    "unread": _count(0, "How many notifications are unread."),
    "heartbeat_seconds": {"type": "number", "exclusiveMinimum": 0, "description": "How often to send `ping`."},
    "expires_at": _moment("When the token of this connection expires."),
    "server_time": TIMESTAMP,
    "ack": {"type": "boolean", "description": "`true` where the server asks for an `ack` of this event; else missing."},
    "bookings": {
        "type": "array",
        "items": {"type": "object"},
        "description": "Each with `booking_id`, `seq`, `status`, and `location` as in `connection_established`.",
    },
    "last": {"type": "boolean", "description": "`true` in the last page; else missing."},
    "max_subscriptions": _count(1, "How many subscriptions this connection may have at once."),
    "after_ms": _count(0, "Milliseconds after which to reconnect."),
    "next_in_ms": _count(0, "Milliseconds after which the server wants the next location."),
    "retry_in_ms": _count(0, "Milliseconds after which the same message may succeed."),
    "code": _text("`invalid_json`, `invalid_message`, `unknown_type`, `invalid_token`, `not_found`, `rate_limited`, …"),
}
LOCATION_ID: Final[Schema] = {
    "type": "string",
    "maxLength": 36,
    "description": "The `id` of the client's message, if it had one.",
}
CLOSE_CODE: Final[Schema] = {
    "type": "integer",
    "enum": [1000, *CloseCode],
    "description": "1000 as the client asked; else the close code that the endpoint of this channel would use.",
}
ANY_ID: Final[Schema] = {"type": "string", "description": "The booking's id, as the client sent it."}
_EXAMPLES: Final[Schema] = {
    "channel": "notifications",
    "max_subscriptions": 20,
    "bookings": [
        {"booking_id": "6f1c2f6e-8f6b-4f0e-9a53-0f8c0a6c3b52", "seq": 4, "status": "on_the_way", "location": None}
    ],
    "last": True,
    "booking_id": "6f1c2f6e-8f6b-4f0e-9a53-0f8c0a6c3b52",
    "id": "0c8be2a0-1e0e-4e58-a2e8-0a1a5a3c6d11",
    "status": "on_the_way",
    "event_type": "booking_on_the_way",
    "actor": "Ravi Kumar",
    "timestamp": "2026-01-03T11:05:00Z",
    "created_at": "2026-01-03T11:00:00Z",
    "eta_minutes": 6,
    "lat": 28.6139,
    "lng": 77.209,
    "accuracy": 8.5,
    "heading": 172.0,
    "speed": 7.9,
    "uncertain": True,
    "seq": 4,
    "title": "On the way",
    "message": "Ravi Kumar is on the way for Kitchen tap repair.",
    "data": {"booking_id": "6f1c2f6e-8f6b-4f0e-9a53-0f8c0a6c3b52", "status": "on_the_way", "seq": 4},
    "replay": 0,
    "unread": 2,
    "heartbeat_seconds": 25,
    "expires_at": "2026-01-03T11:20:00Z",
    "server_time": "2026-01-03T11:05:01.482000Z",
    "ack": True,
    "after_ms": 1800,
    "next_in_ms": 2000,
    "retry_in_ms": 1200,
    "code": "unknown_type",
}
_ENDED: Final[Schema] = {"channel": "booking", "code": 4003, "message": "You may no longer watch this booking."}
_NUMBER: Final = {
    frames.BookingStatusChanged: _count(1, "1, 2, 3 … per booking, without a gap."),
    frames.NotificationCreated: _count(1, "1, 2, 3 … per user, without a gap."),
}


def frame_schema(kind: type[Frame], *, closed: bool = False) -> Schema:
    """Of one frame. ``closed``: no other keys, as a test wants it; clients must expect more."""
    properties: dict[str, Schema] = {"type": {"const": kind.type}}
    required = ["type"]
    for item in fields(kind):
        properties[item.name] = _key(kind, item.name, closed)
        if item.default is not OMIT:
            required.append(item.name)
    schema: Schema = {
        "type": "object",
        "description": " ".join((kind.__doc__ or "").split()).replace("``", "`"),
        "properties": properties,
        "required": required,
    }
    if closed:
        schema["additionalProperties"] = False
    if kind.__doc__ is None or kind.__doc__.startswith(f"{kind.__name__}("):  # dataclass' own
        del schema["description"]
    return schema


def _key(kind: type[Frame], name: str, closed: bool) -> Schema:
    if name == "location":
        location = frame_schema(frames.LocationUpdated, closed=closed)
        return {
            "anyOf": [location, {"type": "null"}],
            "description": "The last known location, while the booking is tracked.",
        }
    if name == "seq":
        return _NUMBER.get(kind, KEYS["seq"])
    if name == "id" and kind in (frames.LocationAccepted, frames.Error):
        return LOCATION_ID
    if kind is frames.Unsubscribed and name == "code":
        return CLOSE_CODE
    if kind is frames.Unsubscribed and name == "booking_id":
        return ANY_ID
    return KEYS[name]


def frame_example(kind: type[Frame]) -> Schema:
    """One such frame; a field's default wins over the key's example."""
    example: Schema = {"type": kind.type}
    for item in fields(kind):
        if item.name == "location":
            example[item.name] = frame_example(frames.LocationUpdated)
        elif kind is frames.Error and item.name == "message":
            example[item.name] = "This type of message is not known."
        elif kind is frames.Unsubscribed and item.name in _ENDED:
            example[item.name] = _ENDED[item.name]
        else:
            example[item.name] = item.default if isinstance(item.default, str) else _EXAMPLES[item.name]
    return example


@dataclass(frozen=True)
class ClientMessage:
    """What a client may send: ``name`` as ``type``, and ``keys``. ``answer`` is None where there is none."""

    name: str
    keys: dict[str, Schema]
    description: str
    answer: type[Frame] | None
    channel: str | None = None
    """The kind of channel that knows the message; None for every kind."""
    optional: frozenset[str] = frozenset()

    def schema(self) -> Schema:
        properties: dict[str, Schema] = {"type": {"const": self.name}}
        properties |= self.keys
        return {
            "type": "object",
            "description": self.description,
            "properties": properties,
            "required": [name for name in properties if name not in self.optional],
        }


ON_SHARED: Final[dict[str, Schema]] = {
    "booking_id": {**_UUID, "description": "Of which booking; on `/ws/` only."},
    "channel": {"const": "notifications", "type": "string", "description": "Of a notification; on `/ws/` only."},
}
CLIENT_MESSAGES: Final = (
    ClientMessage("ping", {}, "Keeps the connection open, and shows that it works.", frames.Pong),
    ClientMessage(
        "authenticate",
        {"token": {"type": "string", "description": "An access token of the same user."}},
        "Keeps the connection until the new token expires.",
        frames.Authenticated,
    ),
    ClientMessage(
        "mark_read",
        {"id": {"type": "string", "description": "A notification's."}},
        "Marks a notification as read.",
        frames.MarkedRead,
        "notifications",
    ),
    ClientMessage(
        "location",
        {
            **{name: KEYS[name] for name in ("lat", "lng", "timestamp", "accuracy", "heading", "speed")},
            "id": LOCATION_ID,
            "booking_id": ON_SHARED["booking_id"],
        },
        "The assigned worker's location, by the rules of `POST /api/v1/tracking/{booking_id}/`.",
        frames.LocationAccepted,
        "booking",
        frozenset({"timestamp", "accuracy", "heading", "speed", "id", "booking_id"}),
    ),
    ClientMessage(
        "ack",
        {"seq": _count(1, "The event's."), **ON_SHARED},
        "Confirms that an event with `ack` was processed. Optional, and only for measurement.",
        None,
        None,
        frozenset(ON_SHARED),
    ),
    ClientMessage(
        "subscribe",
        {
            "channel": {"type": "string", "enum": list(CHANNELS)},
            "booking_id": {**_UUID, "description": "One booking to watch."},
            "booking_ids": {"type": "array", "items": _UUID, "description": "Several bookings, as one request."},
            "since": {
                "anyOf": [SINCE, {"type": "object", "additionalProperties": SINCE}],
                "description": "As `since` of an endpoint; with `booking_ids` an object of booking ids.",
            },
            "bbox": {
                "type": "array",
                "items": {"type": "number"},
                "minItems": 4,
                "maxItems": 4,
                "description": "Of `live`: west, south, east and north of a box, in degrees.",
            },
            "max_rate": {
                "type": "number",
                "description": "Of `live`: locations a second of a booking; 1 if missing.",
            },
        },
        "Subscribes to one booking, several bookings, the notifications, or (staff) all tracked bookings.",
        frames.Unsubscribed,
        "shared",
        frozenset({"booking_id", "booking_ids", "since", "bbox", "max_rate"}),
    ),
    ClientMessage(
        "unsubscribe",
        {
            "channel": {"type": "string", "enum": list(CHANNELS)},
            "booking_id": {**_UUID, "description": "One booking."},
            "booking_ids": {"type": "array", "items": _UUID, "description": "Several bookings."},
        },
        "Ends subscriptions.",
        frames.Unsubscribed,
        "shared",
        frozenset({"booking_id", "booking_ids"}),
    ),
)

_COMMON: Final = (frames.ResyncRequired, frames.Pong, frames.Authenticated, frames.Reconnect, frames.Error)
BOOKING_FRAMES: Final = (
    frames.BookingConnected,
    frames.BookingStatusChanged,
    frames.LocationUpdated,
    frames.LocationAccepted,
    frames.Pace,
    *_COMMON,
)
NOTIFICATIONS_FRAMES: Final = (
    frames.NotificationsConnected,
    frames.NotificationCreated,
    frames.MarkedRead,
    *_COMMON,
)
SHARED_FRAMES: Final = (
    frames.Connected,
    frames.Unsubscribed,
    frames.LivePage,
    frames.LiveLeft,
    *dict.fromkeys((*BOOKING_FRAMES, *NOTIFICATIONS_FRAMES)),
)
assert {*SHARED_FRAMES} == {*CATALOGUE}, "every frame belongs to an endpoint"
