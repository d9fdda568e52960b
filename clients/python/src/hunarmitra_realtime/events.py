"""What a stream gives to the application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Frame = dict[str, Any]
"""A frame of the server, as documented."""

TokenCallback = Callable[[bool], "str | None | Awaitable[str | None]"]
"""Return a token. The argument is true when the last one was rejected or expires soon. None: nobody is signed in."""

Name = Literal["idle", "connecting", "live", "reconnecting", "closed"]
Reason = Literal["stopped", "unauthenticated", "forbidden", "not_found", "invalid_url"]


@dataclass(frozen=True)
class State:
    """The connection of a stream. `delay` is in seconds, until the next attempt."""

    name: Name
    reason: Reason | None = None
    code: int | None = None
    message: str | None = None
    attempt: int = 0
    delay: float | None = None


@dataclass(frozen=True)
class Event:
    """One event. `data` is the frame; None for a location that may no longer be seen."""

    kind: Literal[
        "state", "snapshot", "status", "location", "notification", "unread", "resync", "error", "page", "left"
    ]
    data: Frame | None = None
    state: State | None = None
    unread: int | None = None


@dataclass(frozen=True)
class Backoff:
    """Full jitter below a limit that doubles, in seconds."""

    shortest: float = 1.0
    longest: float = 30.0


@dataclass
class Moments:
    """What one connection has told about time, in seconds of the monotonic clock."""

    live_since: float | None = None
    heartbeat: float = 30.0
    after: float | None = field(default=None)
    """Delay from a `reconnect` frame."""
