"""What travels on the channel layer: an encoded frame and the numbers a hub orders and deduplicates it by.

The frame inside is the very text that sockets receive, encoded once by whoever publishes it. ``type`` follows
the Channels convention, so that an ordinary consumer may handle these messages too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

STATUS: Final = "realtime.status"
LOCATION: Final = "realtime.location"
REVOCATION: Final = "realtime.revocation"


@dataclass(frozen=True, slots=True)
class Message:
    """A channel-layer message and the group it goes to."""

    group: str
    body: Mapping[str, Any]


def status_message(group: str, *, seq: int, frame: str, clears_location: bool = False) -> Message:
    """A numbered event, of a booking or a user. ``clears_location``: positions accepted before it end with it."""
    body: dict[str, Any] = {"type": STATUS, "seq": seq, "frame": frame}
    if clears_location:
        body["clears_location"] = True
    return Message(group, body)


def location_message(group: str, *, seq: int, order: int, frame: str) -> Message:
    """A position: ``seq`` is the booking's when it was accepted, ``order`` its time in microseconds since 1970."""
    return Message(group, {"type": LOCATION, "seq": seq, "order": order, "frame": frame})


def revocation_message(group: str, *, number: int, kind: str, subject: str, booking: str | None) -> Message:
    return Message(group, {"type": REVOCATION, "number": number, "kind": kind, "subject": subject, "booking": booking})
