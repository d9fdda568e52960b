"""All tracked bookings, or those in a box, for staff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hunarmitra_realtime.booking import FINAL
from hunarmitra_realtime.events import Event, Frame, State
from hunarmitra_realtime.subscription import Subscription

if TYPE_CHECKING:
    from hunarmitra_realtime.connection import RealtimeConnection

FRAMES = {"booking_status", "location_update", "live_page", "live_left"}
"""The types of frames that the channel sends. They do not name it."""


class LiveSubscription(Subscription):
    """The events `page`, `status`, `location`, `left`, `error` and `state`.

    Pages come after each connect; the first one of a list has `first`, the last one `last`. There is no resume.
    """

    def __init__(
        self, connection: RealtimeConnection, key: str, bbox: Sequence[float] | None, max_rate: float | None
    ) -> None:
        super().__init__(connection, key, "", {"channel": key}, since=None)
        self._box = _request(bbox, max_rate)
        self._seqs: dict[str, int] = {}  # of the bookings that are shown

    def watch(self, bbox: Sequence[float] | None = None, max_rate: float | None = None) -> None:
        """Show another box. The pages come again."""
        self._box = _request(bbox, max_rate)
        if self.state.name in {"connecting", "live"}:
            self._subscribe()

    @property
    def request(self) -> Frame:
        return {"channel": self.key, **self._box}

    async def receive(self, frame: Frame) -> None:
        kind = frame.get("type")
        if kind == "live_page" and self.wanted:
            self._page(frame)
        elif kind not in FRAMES:
            await super().receive(frame)
        elif self._joined_at is not None:
            self._change(frame)

    def _established(self, snapshot: Frame) -> None:
        """A page is the snapshot."""

    def _page(self, frame: Frame) -> None:
        first = self._joined_at is None
        if first:
            self._seqs.clear()
            self._join()
            self._become(State("live"))
        self._seqs.update((booking["booking_id"], booking["seq"]) for booking in frame["bookings"])
        page = {"bookings": frame["bookings"], "first": first, "last": frame.get("last", False)}
        self._give(Event("page", page))

    def _change(self, frame: Frame) -> None:
        kind, booking_id = frame["type"], frame["booking_id"]
        known = self._seqs.get(booking_id)
        if kind == "booking_status":
            over = frame["status"] in FINAL
            if (known is None and over) or (known is not None and frame["seq"] <= known):
                return
            if over:
                del self._seqs[booking_id]
            else:
                self._seqs[booking_id] = frame["seq"]
            self._give(Event("status", frame))
        elif known is None:
            return
        elif kind == "location_update":
            self._give(Event("location", frame))
        else:
            del self._seqs[booking_id]
            self._give(Event("left", frame))


def _request(bbox: Sequence[float] | None, max_rate: float | None) -> dict[str, Any]:
    """Return the keys that the server takes. Raises ValueError."""
    request: dict[str, Any] = {}
    if bbox is not None:
        if len(bbox) != 4 or not (
            all(-180 <= each <= 180 for each in (bbox[0], bbox[2])) and -90 <= bbox[1] <= bbox[3] <= 90
        ):
            raise ValueError(f"bbox is not [west, south, east, north] in degrees: {bbox}")
        request["bbox"] = list(bbox)
    if max_rate is not None:
        if not 0.01 <= max_rate <= 10:
            raise ValueError(f"max_rate is not between 0.01 and 10: {max_rate}")
        request["max_rate"] = max_rate
    return request
