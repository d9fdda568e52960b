"""What travels on the channel layer: an encoded frame and the numbers a hub orders and deduplicates it by.

The frame inside is the exact text that connections receive, encoded once by the publisher. ``type`` follows
the Channels convention, so that an ordinary consumer may handle these messages too.

``committed_at`` and ``published_at``, both in microseconds since 1970, tell when the event was committed and when it
was handed to Redis, so that the time of each stage of its way can be measured. Hubs do without where they are missing.

``traceparent`` (W3C Trace Context) is there only when the change that it tells of is traced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

STATUS: Final = "realtime.status"
LOCATION: Final = "realtime.location"
REVOCATION: Final = "realtime.revocation"
WATCHED: Final = "realtime.watched"
"""Somebody began to watch the booking of the channel."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message for one channel. ``origin`` is the ``traceparent`` of the change that caused it."""

    channel: str
    body: Mapping[str, Any]
    origin: str | None = None


def committed(message: Message, moment: int) -> Message:
    """``moment``: when the transaction of its event was committed."""
    return replace(message, body={**message.body, "committed_at": moment})


def published(messages: Sequence[Message], moment: int) -> Sequence[Message]:
    """Those that tell when they were committed also tell that they are published now."""
    return [
        replace(message, body={**message.body, "published_at": moment}) if "committed_at" in message.body else message
        for message in messages
    ]


def lane_of(message: Message) -> str:
    return "location" if message.body.get("type") == LOCATION else "status"


def status_message(
    channel: str,
    *,
    seq: int,
    frame: str,
    clears_location: bool = False,
    ack: bool = False,
    origin: str | None = None,
) -> Message:
    """A numbered event, of a booking or a user.

    ``clears_location``: locations accepted before it end with it. ``ack``: its frame asks for acknowledgements.
    """
    body: dict[str, Any] = {"type": STATUS, "seq": seq, "frame": frame}
    if clears_location:
        body["clears_location"] = True
    if ack:
        body["ack"] = True
    return Message(channel, body, origin)


def location_message(channel: str, *, seq: int, order: int, frame: str) -> Message:
    """A location: ``seq`` is the booking's when it was accepted, ``order`` its time in microseconds since 1970."""
    return Message(channel, {"type": LOCATION, "seq": seq, "order": order, "frame": frame})


def revocation_message(channel: str, *, number: int, kind: str, subject: str, booking: str | None) -> Message:
    return Message(
        channel, {"type": REVOCATION, "number": number, "kind": kind, "subject": subject, "booking": booking}
    )


_FIELDS: Final[Mapping[str, Mapping[str, type]]] = {
    STATUS: {"seq": int, "frame": str},
    LOCATION: {"seq": int, "order": int, "frame": str},
    REVOCATION: {"number": int, "kind": str, "subject": str},
}
_OPTIONAL_FIELDS: Final[Mapping[str, Mapping[str, type]]] = {
    STATUS: {"clears_location": bool},
    LOCATION: {},
    REVOCATION: {"booking": str},
}


def malformed_field(body: Mapping[str, Any]) -> str | None:
    """Return the name of a field that is missing or has another type, or None for a well-formed body.

    Anybody who may publish on Redis can send any body. Bodies of unknown types are well-formed: they are not ours.
    """
    kind = body.get("type")
    if not isinstance(kind, str):
        return "type"
    for name, expected in _FIELDS.get(kind, {}).items():
        # The exact type: True is an int for isinstance().
        if type(body.get(name)) is not expected:
            return name
    for name, expected in _OPTIONAL_FIELDS.get(kind, {}).items():
        if body.get(name) is not None and type(body[name]) is not expected:
            return name
    if "frame" in body and kind in {STATUS, LOCATION} and not _is_encodable(body["frame"]):
        return "frame"
    return None


def _is_encodable(text: str) -> bool:
    """Whether the text has no lone surrogate, which UTF-8 cannot encode."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
