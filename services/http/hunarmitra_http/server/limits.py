"""The times, sizes and numbers that bound the connections of a reception."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hunarmitra_http.server.connection import Phase

PIECE: Final = 16384
DROPPED_PIECE: Final = 65536
"""Bytes that are received at once, and of those that are dropped."""

LINGER_SECONDS: Final = 5.0
"""For which a connection that the server ends waits for the client's end, so that the client gets the response."""
MOST_DRAINED: Final = 4 * 1024 * 1024
"""Bytes of a body over the limit that are received and dropped, for the same reason."""
MOST_DRAINING: Final = 16
"""Connections of which bytes are dropped in one round: the others can wait, and requests should not wait for them."""
EVENTS_PER_ACCEPT: Final = 16
"""A round of so many events accepts one more connection: clients that wait to be accepted wait for the whole round."""
STOP_LINGER: Final = 2.0
"""Seconds that idle connections stay open when the process stops: a client may be sending its next request."""
STOP_RECEIVING: Final = 5.0
"""Seconds that a client has for the rest of its request when the process stops."""
SLOW_AFTER: Final = 1.0
"""Seconds after which a connection that receives or sends may have to make room for a new one."""
NEWCOMER_SECONDS: Final = 0.25
"""Seconds that a new connection has in a flood of others to send its request: an honest one sends it at once."""
TICK: Final = 0.25
"""Seconds between two looks at the deadlines."""
OUT_OF_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

REASONS: Final[Mapping[Phase, str]] = {
    Phase.NEW: "silent",
    Phase.HEADER: "header",
    Phase.BODY: "body",
    Phase.SENDING: "response",
}
"""Why a connection was cut off, by the phase whose deadline passed. Ends of other phases are usual."""
FULL: Final = "full"

TIMED: Final = (Phase.NEW, Phase.IDLE, Phase.HEADER, Phase.BODY, Phase.SENDING, Phase.LINGERING)
SLOW: Final = (Phase.NEW, Phase.HEADER, Phase.BODY, Phase.SENDING, Phase.LINGERING)

AT_STOP: Final[Mapping[Phase, float]] = {
    Phase.NEW: STOP_LINGER,
    Phase.IDLE: STOP_LINGER,
    Phase.HEADER: STOP_RECEIVING,
    Phase.BODY: STOP_RECEIVING,
    Phase.LINGERING: STOP_LINGER,
}
"""The most seconds that a connection has in a phase when the process stops."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in bytes."""

    header_timeout: float
    body_timeout: float
    send_timeout: float
    idle_timeout: float
    connections: int
    header_bytes: int
    body_bytes: int
    unsent_bytes: int
