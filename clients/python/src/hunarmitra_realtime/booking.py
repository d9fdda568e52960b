"""One booking: every status event once and in order, and the worker's location while it may be seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from urllib.parse import quote

from hunarmitra_realtime.base import Stream
from hunarmitra_realtime.events import Backoff, Event, Frame, Reason, State, TokenCallback
from hunarmitra_realtime.link import timestamp
from hunarmitra_realtime.stream import RealtimeStream

FINAL = {"completed", "cancelled"}
BOOKING_STATUS = "booking_status"
ANSWER_SECONDS = 10.0
"""Within this time the server answers a location."""

UNKNOWN = "unknown_type"
"""The error code of a server that takes no locations over connections. It answers without the location's id."""

_ids = count(1)


class BookingChannel(Stream):
    """What a booking's events mean, with any connection."""

    status: str | None = None
    location: Frame | None = None
    on_pace: Callable[[float], None] | None = None
    """Called when the server wants the next location sooner than it said: with the seconds after the last one."""
    _shown_at = float("-inf")
    _sent: tuple[str, asyncio.Future[Frame | None]] | None = None

    async def send_location(self, location: Frame) -> Frame | None:
        """Send a location of the booking's worker; one at a time.

        Return the answer: the frame `location_accepted` or `error`. None: there is no connection, or no answer came.
        """
        answer: asyncio.Future[Frame | None] = asyncio.get_running_loop().create_future()
        self._sent = (str(next(_ids)), answer)
        try:
            if not await self._send({"type": "location", **location, "id": self._sent[0]}):
                return None
            return await asyncio.wait_for(answer, ANSWER_SECONDS)
        except TimeoutError:
            return None
        finally:
            self._sent = None

    def _established(self, snapshot: Frame) -> None:
        self.status = snapshot["status"]
        self._give(Event("snapshot", snapshot))
        if snapshot.get("location"):
            self._show(snapshot["location"])
        else:
            self._clear()

    def _next(self, event: Frame, *, fresh: bool) -> None:
        if fresh:
            self.status = event["status"]
        self._give(Event("status", event))
        # Replayed events are older than the snapshot's location and do not clear it.
        if fresh and (event["status"] in FINAL or event.get("event_type") == "booking_assigned"):
            self._clear()

    def _frame(self, frame: Frame) -> None:
        kind = frame.get("type")
        if kind == "location_update":
            self._show(frame)
        elif kind == "pace" and self.on_pace:
            self.on_pace(frame["next_in_ms"] / 1000)
        elif self._sent and (frame.get("id") == self._sent[0] or frame.get("code") == UNKNOWN):
            self._answer(frame)

    def _become(self, state: State) -> None:
        super()._become(state)
        if state.name != "live":
            self._answer(None)

    def _answer(self, frame: Frame | None) -> None:
        """Give the answer to the location that was sent; None: the connection is lost."""
        if self._sent and not self._sent[1].done():
            self._sent[1].set_result(frame)

    def _ended(self, reason: Reason) -> None:
        if reason != "stopped":
            self._clear()

    def _show(self, location: Frame) -> None:
        at = timestamp(location.get("timestamp"))
        if at is None or self.status in FINAL:
            return
        # The server's order: a phone whose clock is ahead must not hide later locations.
        at = min(at, self._server_now())
        if at < self._shown_at or self._same(location):
            return
        self._shown_at, self.location = at, location
        self._give(Event("location", location))

    def _same(self, location: Frame) -> bool:
        last = self.location or {}
        return all(last.get(key) == location.get(key) for key in ("timestamp", "lat", "lng", "eta_minutes"))

    def _clear(self) -> None:
        self._shown_at = float("-inf")
        if self.location is not None:
            self.location = None
            self._give(Event("location", None))


class BookingStream(BookingChannel, RealtimeStream):
    """The events of one booking: `snapshot`, `status`, `location`, `resync`, `error` and `state`."""

    def __init__(
        self,
        url: str,
        booking_id: str,
        *,
        token: str | TokenCallback,
        since: int | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        path = f"/ws/bookings/{quote(booking_id, safe='')}/"
        RealtimeStream.__init__(self, url, path, BOOKING_STATUS, token=token, since=since, backoff=backoff)
