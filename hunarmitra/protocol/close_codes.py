"""WebSocket close codes of the API, each with the reason that is sent along."""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    """4000–4999 is for applications (RFC 6455, section 7.4.2); 1009 and 1011 are the RFC's own."""

    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    UNAUTHENTICATED = 4001
    FORBIDDEN = 4003
    NOT_FOUND = 4004
    TOO_SLOW = 4008
    DRAINING = 4012
    FULL = 4013
    TOO_MANY = 4029

    @property
    def reason(self) -> str:
        return _REASONS[self]


_REASONS = {
    CloseCode.MESSAGE_TOO_BIG: "message too big",
    CloseCode.INTERNAL_ERROR: "internal error",
    CloseCode.UNAUTHENTICATED: "unauthenticated",
    CloseCode.FORBIDDEN: "not allowed",
    CloseCode.NOT_FOUND: "no such booking",
    CloseCode.TOO_SLOW: "too slow",
    CloseCode.DRAINING: "server is draining",
    CloseCode.FULL: "server is full",
    CloseCode.TOO_MANY: "too many messages or sockets",
}
