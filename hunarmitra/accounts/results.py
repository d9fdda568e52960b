"""What the services of accounts return and raise."""

from __future__ import annotations

from dataclasses import dataclass

from rest_framework_simplejwt.exceptions import TokenError


@dataclass(frozen=True)
class TokenPair:
    access: str
    refresh: str


@dataclass(frozen=True)
class IssuedTicket:
    ticket: str
    expires_in: int


class SessionReusedError(TokenError):
    """A refresh token was used again after its grace. Its session has ended."""

    def __init__(self) -> None:
        super().__init__("This refresh token was used before, so its session has ended; sign in again")


class SessionExpiredError(TokenError):
    """A session reached its absolute lifetime."""

    def __init__(self) -> None:
        super().__init__("This session has reached its longest duration; sign in again")


class SessionsEndedError(Exception):
    """All sessions of the user were ended while the user signed in."""
