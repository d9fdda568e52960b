"""One booking: every status event once and in order, and the worker's location while it may be seen."""

from __future__ import annotations

from urllib.parse import quote

from hunarmitra_realtime.base import Stream
from hunarmitra_realtime.events import Backoff, Event, Frame, Reason, TokenCallback
from hunarmitra_realtime.link import timestamp
from hunarmitra_realtime.stream import RealtimeStream

FINAL = {"completed", "cancelled"}


BOOKING_STATUS = "booking_status"


class BookingChannel(Stream):
    """What a booking's events mean, with any connection."""

    status: str | None = None
    location: Frame | None = None
    _shown_at = float("-inf")

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
        if frame.get("type") == "location_update":
            self._show(frame)

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
