"""Why the server ends a connection: the frame that tells the client, and the close code after it.

The frame comes first, because stock daphne drops the reason of a close and replaces reserved close codes by 1011.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra.protocol.frames import Error, Frame, Reconnect, encode
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.lanes import Lanes


@dataclass(frozen=True, slots=True)
class Disconnect:
    """A reason to end a connection or a subscription. ``frame`` is None where the close code says it all.

    ``retry`` comes before ``frame`` and tells the client when to connect again.
    """

    frame: Frame | None
    close: CloseCode
    retry: Reconnect | None = None

    @property
    def message(self) -> str:
        """The reason as a sentence for people."""
        return self.frame.message if isinstance(self.frame, Error) else self.close.reason

    def send(self, lanes: Lanes) -> None:
        """Push the frames behind the waiting ones, then close; the lanes take nothing more."""
        for frame in (self.retry, self.frame):
            if frame is not None:
                lanes.push(OutgoingFrame(encode(frame)))
        lanes.close(self.close)


class DisconnectError(Exception):
    """Raised where a connection must end; ``disconnect`` is the reason."""

    def __init__(self, disconnect: Disconnect) -> None:
        super().__init__(disconnect.close.reason)
        self.disconnect = disconnect


def _error(close: CloseCode, code: str, message: str) -> Disconnect:
    return Disconnect(Error(code=code, message=message), close)


def reconnect(after_ms: int) -> Disconnect:
    """Ask the client to connect again after ``after_ms`` milliseconds, here or elsewhere."""
    return Disconnect(Reconnect(after_ms=after_ms), CloseCode.DRAINING)


def flooded(wait: float) -> Disconnect:
    """Refuse a session that has sent too many frames, for the next ``wait`` seconds."""
    error = Error(code="rate_limited", message="This session sent too many messages; wait before you connect again.")
    return Disconnect(error, CloseCode.TOO_MANY, Reconnect(after_ms=ceil(wait * 1000)))


_UNAUTHENTICATED: Final = (CloseCode.UNAUTHENTICATED, "unauthenticated")
_FORBIDDEN: Final = (CloseCode.FORBIDDEN, "forbidden")

UNAUTHENTICATED: Final = _error(*_UNAUTHENTICATED, "The token is missing, invalid or revoked.")
SESSION_ENDED: Final = _error(*_UNAUTHENTICATED, "The session was ended.")
ACCOUNT_DEACTIVATED: Final = _error(*_UNAUTHENTICATED, "The account was deactivated.")
ACCOUNT_GONE: Final = _error(*_UNAUTHENTICATED, "The account no longer exists.")
TOKEN_EXPIRED: Final = _error(CloseCode.UNAUTHENTICATED, "token_expired", "The token expired.")
FORBIDDEN: Final = _error(*_FORBIDDEN, "You may not watch this booking.")
REVOKED: Final = _error(*_FORBIDDEN, "You may no longer watch this booking.")
NOT_STAFF: Final = _error(*_FORBIDDEN, "Only staff may watch all bookings.")
BOOKING_GONE: Final = _error(*_FORBIDDEN, "The booking no longer exists.")
ANOTHER_USER: Final = _error(*_FORBIDDEN, "The token is another user's.")
NOT_FOUND: Final = _error(CloseCode.NOT_FOUND, "not_found", "There is no such booking.")
TOO_MANY_FAILURES: Final = _error(CloseCode.TOO_MANY, "too_many_attempts", "Too many failed attempts; wait a minute.")
TOO_MANY_CONNECTIONS: Final = _error(
    CloseCode.TOO_MANY, "too_many_sockets", "You have too many connections to this server; close one of them first."
)
REPLACED: Final = _error(
    CloseCode.TOO_MANY, "too_many_sockets", "This connection was silent, and a newer one took its place."
)
TOO_MANY_SUBSCRIPTIONS: Final = _error(
    CloseCode.TOO_MANY, "too_many_subscriptions", "Too many subscriptions; unsubscribe from some first."
)
REPLAY_FAILED: Final = Disconnect(None, CloseCode.TOO_SLOW)
UNAVAILABLE: Final = _error(CloseCode.INTERNAL_ERROR, "unavailable", "The service is unavailable; try again.")
TOO_MANY_MESSAGES: Final = _error(CloseCode.TOO_MANY, "rate_limited", "Too many messages.")
FULL: Final = _error(CloseCode.FULL, "full", "This server is full; try again.")
