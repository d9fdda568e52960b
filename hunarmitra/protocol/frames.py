"""The catalogue of every frame that a server sends, as typed classes.

Each frame is a frozen dataclass whose fields are the frame's keys in their order; :func:`encode` makes the text
that is sent. Nothing else in the code base writes a frame. No framework is imported here, so that the
catalogue can be read, tested and exported (schemas, client types) alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

OMIT: Final = object()
"""Value of an optional key that is left out of the frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A server frame. ``type`` is the value of its ``type`` key."""

    type: ClassVar[str]

    def to_wire(self) -> dict[str, Any]:
        body: dict[str, Any] = {"type": self.type}
        name: str
        for name in self.__slots__:  # the fields: dataclasses.fields() would build its tuple for each frame
            value = getattr(self, name)
            if value is not OMIT:
                body[name] = value
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingStatusChanged(Frame):
    """A numbered event of a booking. ``seq`` counts 1, 2, 3 … per booking without a gap."""

    type: ClassVar[str] = "booking_status"

    booking_id: str
    status: str
    event_type: str
    actor: str
    timestamp: str
    seq: int
    eta_minutes: Any = OMIT
    ack: Any = OMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationUpdated(Frame):
    """Where the worker is; ``lat`` and ``lng`` in degrees (WGS 84), ``eta_minutes`` when one can be estimated.

    ``accuracy``, ``heading`` and ``speed`` are there when the phone told them. ``uncertain`` is true for a location
    that is too vague for a marker.
    """

    type: ClassVar[str] = "location_update"

    booking_id: str
    lat: float
    lng: float
    timestamp: str
    actor: str
    eta_minutes: Any = OMIT
    accuracy: Any = OMIT
    heading: Any = OMIT
    speed: Any = OMIT
    uncertain: Any = OMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationCreated(Frame):
    """A notification. ``seq`` counts 1, 2, 3 … per user without a gap. ``channel`` is there on `/ws/` only."""

    type: ClassVar[str] = "notification"

    seq: int
    id: str
    title: str
    message: str
    data: Mapping[str, Any]
    created_at: str
    ack: Any = OMIT
    channel: Any = OMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingConnected(Frame):
    """First frame of a booking's connection: the state of the booking, and how many events follow from ``since``."""

    type: ClassVar[str] = "connection_established"

    booking_id: str
    message: str = "Connected to booking updates"
    seq: int
    status: str
    location: Mapping[str, Any] | None
    replay: int
    heartbeat_seconds: float
    expires_at: str
    server_time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationsConnected(Frame):
    """First frame of the notifications; ``title`` is there because clients display every frame of them."""

    type: ClassVar[str] = "connection_established"

    title: str = "Notifications"
    message: str = "Connected to notifications"
    seq: int
    unread: int
    replay: int
    heartbeat_seconds: float
    expires_at: str
    server_time: str
    channel: Any = OMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected(Frame):
    """First frame of `/ws/`; the client may have ``max_subscriptions`` subscriptions at once."""

    type: ClassVar[str] = "connected"

    message: str = "Connected"
    heartbeat_seconds: float
    expires_at: str
    server_time: str
    max_subscriptions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribed(Frame):
    """A subscription of `/ws/` has ended: with 1000 as the client asked, else with ``message`` for another reason.

    ``code`` is the close code that the endpoint of this one channel would use.
    """

    type: ClassVar[str] = "unsubscribed"

    channel: str
    booking_id: Any = OMIT
    code: int
    message: Any = OMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePage(Frame):
    """Tracked bookings of the `live` channel, each as ``booking_id``, ``seq``, ``status`` and ``location``.

    ``last`` is true in the last page.
    """

    type: ClassVar[str] = "live_page"

    bookings: Sequence[Mapping[str, Any]]
    last: Any = OMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLeft(Frame):
    """A booking of the `live` channel has left the box, or was deleted."""

    type: ClassVar[str] = "live_left"

    booking_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResyncRequired(Frame):
    """The log cannot be replayed from ``since``: fetch the state over REST and go on from ``seq``.

    On `/ws/`, ``booking_id`` or ``channel`` tells which subscription it is about.
    """

    type: ClassVar[str] = "resync_required"

    seq: int
    booking_id: Any = OMIT
    channel: Any = OMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong(Frame):
    type: ClassVar[str] = "pong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated(Frame):
    type: ClassVar[str] = "authenticated"

    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedRead(Frame):
    type: ClassVar[str] = "marked_read"

    id: str
    unread: int
    channel: Any = OMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationAccepted(Frame):
    """The client's location was accepted; ``timestamp`` is the time that it counts as of."""

    type: ClassVar[str] = "location_accepted"

    booking_id: str
    timestamp: str
    next_in_ms: int
    id: Any = OMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace(Frame):
    """The server wants locations sooner than it said last: somebody watches now."""

    type: ClassVar[str] = "pace"

    booking_id: str
    next_in_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnect(Frame):
    """Sent before close code 4012, or 4029 of a session that flooded: come back after ``after_ms``, with ``since``."""

    type: ClassVar[str] = "reconnect"

    after_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Error(Frame):
    """An error, as a code for programs and a sentence for people.

    On `/ws/`, ``booking_id`` or ``channel`` tells which subscription it is about, if it is about one.
    """

    type: ClassVar[str] = "error"

    code: str
    message: str
    retry_in_ms: Any = OMIT
    id: Any = OMIT
    booking_id: Any = OMIT
    channel: Any = OMIT


CATALOGUE: Final[tuple[type[Frame], ...]] = (
    BookingStatusChanged,
    LocationUpdated,
    NotificationCreated,
    BookingConnected,
    NotificationsConnected,
    Connected,
    Unsubscribed,
    LivePage,
    LiveLeft,
    ResyncRequired,
    Pong,
    Authenticated,
    MarkedRead,
    LocationAccepted,
    Pace,
    Reconnect,
    Error,
)


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


_ASCII_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Half a character of UTF-16. JSON can spell it, so a client can send it in an id, but UTF-8 does not have it."""


def encode(frame: Frame) -> str:
    """The frame's text, compact, which UTF-8 can always encode: a lone surrogate stays escaped.

    Raises ValueError for NaN and infinity, which JSON does not have.
    """
    text = _ENCODER.encode(frame.to_wire())
    return text if text.isascii() or not _LONE_SURROGATE.search(text) else _ASCII_ENCODER.encode(frame.to_wire())
