"""Send a worker's locations: over a booking's connection while it is live, over REST otherwise."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx

from hunarmitra_realtime.booking import UNKNOWN, BookingChannel
from hunarmitra_realtime.events import Frame
from hunarmitra_realtime.session import Session, json_object, retry_after

USUAL_PACE: Final = 2.0
"""Seconds until the next location if the server does not say."""
LEAST_PACE: Final = 0.2
"""Never sooner: the server disconnects a client that sends more than 10 messages a second."""
LONGEST_BACKOFF: Final = 30.0
_TRANSIENT: Final = frozenset({408, 429})


class SharingEndedError(Exception):
    """The server takes no locations of this booking from this user. ``code`` is the server's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Sent:
    """What came of one attempt: `next_in` is the seconds until the next one, `problem` why nothing was accepted."""

    accepted: bool
    next_in: float
    problem: str = ""


@dataclass(frozen=True)
class _Answer:
    """What the server said. Without `accepted`, `wait` of 0 means to back off."""

    accepted: bool
    wait: float
    problem: str = ""


class LocationSender:
    """Send the locations of one booking, one after the other: `send`, `pause`, `send`, …

    With a `stream` of the booking, they go over its connection while that is live. Without one, or while there is no
    connection, they go over REST.
    """

    def __init__(
        self,
        session: Session,
        booking: str,
        *,
        stream: BookingChannel | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session, self._path = session, f"tracking/{booking}/"
        self._stream = stream
        self._sleep, self._clock = sleep, clock
        self._accepted_at: float | None = None
        """When the last location was accepted; None after an attempt that failed."""
        self._due = float("-inf")
        self._hurried = asyncio.Event()
        self._failures = 0
        if stream is not None:
            stream.on_pace = self._hurry

    async def send(self, lat: float, lng: float, **more: float) -> Sent:
        """Send one location, with `accuracy`, `heading` and `speed` if they are known. Raises SharingEndedError."""
        location = {"lat": lat, "lng": lng, **more}
        answer = await self._over_connection(location) or await self._over_rest(location)
        self._failures = 0 if answer.wait else self._failures + 1
        delay = answer.wait or random.random() * min(LONGEST_BACKOFF, 2.0 ** min(self._failures - 1, 5))
        now = self._clock()
        self._accepted_at = now if answer.accepted else None
        self._due = now + delay
        return Sent(answer.accepted, delay, answer.problem)

    async def pause(self) -> None:
        """Wait until the server wants the next location. Ends sooner when somebody begins to watch."""
        while (left := self._due - self._clock()) > 0:
            if self._stream is None:
                await self._sleep(left)
                continue
            self._hurried.clear()
            waits = [asyncio.ensure_future(self._hurried.wait()), asyncio.ensure_future(self._sleep(left))]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()

    def _hurry(self, seconds: float) -> None:
        if self._accepted_at is not None:
            self._due = min(self._due, self._accepted_at + max(LEAST_PACE, seconds))
            self._hurried.set()

    async def _over_connection(self, location: Frame) -> _Answer | None:
        if self._stream is None or (frame := await self._stream.send_location(location)) is None:
            return None
        if frame.get("code") == UNKNOWN:
            self._stream = None
            return None
        return _judge_frame(frame)

    async def _over_rest(self, location: Frame) -> _Answer:
        try:
            return _judge(await self._session.post(self._path, location))
        except httpx.TransportError as error:
            return _Answer(False, 0.0, str(error) or type(error).__name__)


def _judge_frame(frame: Frame) -> _Answer:
    if frame["type"] == "location_accepted":
        return _Answer(True, _pace(frame))
    code, message, retry = str(frame.get("code")), str(frame.get("message", "")), frame.get("retry_in_ms")
    if code == "stale_position":
        return _Answer(False, USUAL_PACE, message)
    if code == "too_soon":
        return _Answer(False, max(LEAST_PACE, (retry or 0) / 1000), message)
    if code == "unavailable":
        return _Answer(False, (retry or 0) / 1000, message)
    raise SharingEndedError(code, message)


def _judge(answer: httpx.Response) -> _Answer:
    body = json_object(answer)
    code, detail = str(body.get("code", "")), str(body.get("detail", f"HTTP {answer.status_code}"))
    if answer.is_success:
        return _Answer(True, _pace(body))
    if code == "stale_position":
        return _Answer(False, USUAL_PACE, detail)
    # Without a code it is the answer of a proxy, which may be temporary.
    if code and answer.status_code < 500 and answer.status_code not in _TRANSIENT:
        raise SharingEndedError(code, detail)
    return _Answer(False, retry_after(answer), detail)


def _pace(answer: dict[str, Any]) -> float:
    asked = answer.get("next_in_ms")
    return USUAL_PACE if asked is None else max(LEAST_PACE, float(asked) / 1000)
