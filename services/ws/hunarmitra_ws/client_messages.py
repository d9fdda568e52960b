"""Parses client messages, and limits how often they may come. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn


class ClientMessageError(Exception):
    """``code``, the message and ``id`` go to the client in an ``error`` frame; the connection stays open."""

    def __init__(self, code: str, message: str, identifier: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.id = identifier


@dataclass(frozen=True, slots=True)
class Ping:
    pass


@dataclass(frozen=True, slots=True)
class Authenticate:
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MarkRead:
    id: str


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """``keys`` are those of the message."""

    seq: int
    keys: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PostLocation:
    """``keys`` are those of the message; ``id`` comes back in the answer."""

    keys: Mapping[str, Any]
    id: str | None


@dataclass(frozen=True, slots=True)
class Subscribe:
    """``keys`` are those of the message: :mod:`hunarmitra_ws.subscription_requests` reads them."""

    keys: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """``keys`` as of :class:`Subscribe`."""

    keys: Mapping[str, Any]


ClientMessage = Ping | Authenticate | MarkRead | Acknowledge | PostLocation | Subscribe | Unsubscribe

LONGEST_ID = 36


def parse_client_message(text: str | None) -> ClientMessage:
    """Parse a text frame; ``text`` is None for a binary frame. Raises :class:`ClientMessageError`."""
    if text is None:
        raise ClientMessageError("invalid_message", "Send text frames; binary ones are not understood.")
    try:
        body = _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise ClientMessageError("invalid_json", "The message is not JSON.") from None
    if not isinstance(body, dict):
        raise ClientMessageError("invalid_message", "The message must be a JSON object.")
    kind = body.get("type")
    if not isinstance(kind, str):
        raise ClientMessageError("invalid_message", "The message needs a type, a string.")
    parse = _PARSERS.get(kind)
    if parse is None:
        raise ClientMessageError("unknown_type", "This type of message is not known.")
    return parse(body)


def _reject_constant(name: str) -> NoReturn:
    """Reject NaN and Infinity, which Python reads but JSON does not have."""
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_reject_constant)
"""Made once: ``json.loads`` would make one for each message."""


def _string(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise ClientMessageError("invalid_message", f"The message needs {name}, a string.")
    return value


def _optional_id(body: Mapping[str, Any]) -> str | None:
    value = body.get("id")
    if value is not None and (not isinstance(value, str) or len(value) > LONGEST_ID):
        raise ClientMessageError("invalid_message", f"id must be a string of at most {LONGEST_ID} characters.")
    return value


def _number(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ClientMessageError("invalid_message", f"The message needs {name}, a whole number from 1.")
    return value


_PARSERS: Final[Mapping[str, Callable[[Mapping[str, Any]], ClientMessage]]] = {
    "ping": lambda _: Ping(),
    "authenticate": lambda body: Authenticate(_string(body, "token")),
    "mark_read": lambda body: MarkRead(_string(body, "id")),
    "ack": lambda body: Acknowledge(_number(body, "seq"), body),
    "location": lambda body: PostLocation(body, _optional_id(body)),
    "subscribe": Subscribe,
    "unsubscribe": Unsubscribe,
}


class TokenBucket:
    """Allows ``rate`` events a second, and ``burst`` at once. Times are monotonic seconds, given by the caller."""

    __slots__ = ("_burst", "_level", "_rate", "_updated")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = float(burst)
        self._updated = now

    def take(self, now: float) -> bool:
        self._level = min(self._burst, self._level + (now - self._updated) * self._rate)
        self._updated = now
        if self._level < 1:
            return False
        self._level -= 1
        return True

    def give_back(self) -> None:
        """Undo the last :meth:`take`."""
        self._level = min(self._burst, self._level + 1)
