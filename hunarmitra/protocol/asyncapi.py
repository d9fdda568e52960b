"""The AsyncAPI 3 description of the WebSocket API, generated from the catalogue.

Served at ``/api/asyncapi/``, and stored in ``docs/``.

Operations are written from the server's side, as AsyncAPI wants it: it *sends* frames and *receives* messages.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra.protocol.frames import CATALOGUE, Frame
from hunarmitra.protocol.schemas import (
    BOOKING_FRAMES,
    CLIENT_MESSAGES,
    NOTIFICATIONS_FRAMES,
    SHARED_FRAMES,
    ClientMessage,
    frame_example,
    frame_schema,
)

Json = dict[str, Any]

VERSION: Final = "1"
_ABOUT: Final = """\
Status events of a booking are numbered without a gap and reach a client exactly once and in order: it reconnects \
with `since`, the number of the last event that it has processed. Locations are conflated: only the newest matters. \
Every frame is a JSON object with a `type`; clients ignore types and keys that they do not know.

A token comes as `?token=`, as `Sec-WebSocket-Protocol: jwt, <token>`, or as `?ticket=` from \
`POST /api/v1/realtime/tickets/`. A rejected connection gets one `error` frame, then the close code.
"""
AFTER: Final[dict[CloseCode, str]] = {
    CloseCode.MESSAGE_TOO_BIG: "fix itself",
    CloseCode.INTERNAL_ERROR: "back off, then reconnect with `since`",
    CloseCode.UNAUTHENTICATED: "get a new token, then reconnect",
    CloseCode.FORBIDDEN: "not reconnect",
    CloseCode.NOT_FOUND: "not reconnect",
    CloseCode.TOO_SLOW: "reconnect with `since`",
    CloseCode.DRAINING: "reconnect after the `reconnect` frame's `after_ms` with `since`",
    CloseCode.FULL: "back off",
    CloseCode.TOO_MANY: "back off, at least the `after_ms` of a `reconnect` frame",
}
_QUERY: Final[Json] = {
    "type": "object",
    "properties": {
        "since": {
            "type": "string",
            "pattern": "^[0-9]{1,18}$",
            "description": "Number of the last event processed: exactly the later ones follow. 0 asks for all.",
        },
        "token": {"type": "string", "description": "An access token."},
        "ticket": {"type": "string", "description": "A single-use ticket, instead of a token."},
    },
}
_SHARED_QUERY: Final[Json] = {
    **_QUERY,
    "properties": {name: schema for name, schema in _QUERY["properties"].items() if name != "since"},
}


def document() -> Json:
    """Return the document, without `servers`: it is the same on every server."""
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "HunarMitra realtime",
            "version": VERSION,
            "description": _ABOUT + "\n" + _close_codes(),
            "license": {"name": "MIT", "url": "https://opensource.org/license/mit"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "booking": {
                "address": "/ws/bookings/{booking_id}/",
                "title": "One booking",
                "description": "Status events and the worker's location, for the owner, the assigned worker and staff.",
                "parameters": {"booking_id": {"description": "The booking's UUID."}},
                "messages": _references(BOOKING_FRAMES, "booking"),
                "bindings": {"ws": {"method": "GET", "query": _QUERY, "bindingVersion": "0.1.0"}},
            },
            "shared": {
                "address": "/ws/",
                "title": "One connection, many subscriptions",
                "description": "The frames of the two other channels, for each subscription that the client asks for. "
                "A subscription that is refused or ends is an `unsubscribed` frame; the connection lives.",
                "messages": _references(SHARED_FRAMES, "shared"),
                "bindings": {"ws": {"method": "GET", "query": _SHARED_QUERY, "bindingVersion": "0.1.0"}},
            },
            "notifications": {
                "address": "/ws/notifications/",
                "title": "The user's notifications",
                "description": "The notifications of the user of the token.",
                "messages": _references(NOTIFICATIONS_FRAMES, "notifications"),
                "bindings": {"ws": {"method": "GET", "query": _QUERY, "bindingVersion": "0.1.0"}},
            },
        },
        "operations": {
            **_operations("booking", BOOKING_FRAMES),
            **_operations("notifications", NOTIFICATIONS_FRAMES),
            **_operations("shared", SHARED_FRAMES),
        },
        "components": {
            "messages": {
                **{kind.__name__: _message(kind) for kind in CATALOGUE},
                **{_client_name(message): _client_message(message) for message in CLIENT_MESSAGES},
            },
            "schemas": {kind.__name__: frame_schema(kind) for kind in CATALOGUE},
            "securitySchemes": {
                "jwt": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The token of the REST API, in the handshake's query or subprotocol.",
                }
            },
        },
    }


def render() -> str:
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def _client_messages(channel: str) -> list[ClientMessage]:
    return [message for message in CLIENT_MESSAGES if channel == "shared" or message.channel in {None, channel}]


def _client_name(message: ClientMessage) -> str:
    return "".join(word.title() for word in message.name.split("_")) + "Request"


def _references(frames: tuple[type[Frame], ...], channel: str) -> Json:
    names = [kind.__name__ for kind in frames] + [_client_name(message) for message in _client_messages(channel)]
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _operations(channel: str, frames: tuple[type[Frame], ...]) -> Json:
    """What the server sends by itself, and each client message with its answer."""
    messages = _client_messages(channel)
    answers = {message.answer for message in messages}
    place = {"$ref": f"#/channels/{channel}"}

    def inside(name: str) -> Json:
        return {"$ref": f"#/channels/{channel}/messages/{name}"}

    operations: Json = {
        f"{channel}.events": {
            "action": "send",
            "channel": place,
            "title": "What the server sends",
            "messages": [inside(kind.__name__) for kind in frames if kind not in answers],
            "security": [{"$ref": "#/components/securitySchemes/jwt"}],
        }
    }
    for message in messages:
        operations[f"{channel}.{message.name}"] = {
            "action": "receive",
            "channel": place,
            "title": message.description,
            "messages": [inside(_client_name(message))],
            "reply": {
                "channel": place,
                "messages": [*([inside(message.answer.__name__)] if message.answer else []), inside("Error")],
            },
        }
    return operations


def _message(kind: type[Frame]) -> Json:
    schema = frame_schema(kind)
    message: Json = {"name": kind.type, "title": kind.__name__}
    if "description" in schema:
        message["summary"] = schema["description"]
    payload = {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {**message, "payload": payload, "examples": [{"payload": frame_example(kind)}]}


def _client_message(message: ClientMessage) -> Json:
    return {
        "name": message.name,
        "title": _client_name(message),
        "summary": message.description,
        "payload": message.schema(),
    }


def _close_codes() -> str:
    rows = [f"| {code.value} | {code.reason} | {AFTER[code]} |" for code in CloseCode]
    return "\n".join(["| close code | meaning | the client should |", "|---|---|---|", *rows])


if __name__ == "__main__":
    sys.stdout.write(render())
