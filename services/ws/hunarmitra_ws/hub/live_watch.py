"""One member of staff who watches every tracked booking, or those in a box on the map."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hunarmitra.protocol.frames import OMIT, LiveLeft, LivePage, Unsubscribed
from hunarmitra_ws.hub.client import Client
from hunarmitra_ws.hub.disconnects import Disconnect
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.metrics import metrics

if TYPE_CHECKING:
    from hunarmitra_ws.hub.live_feed import LiveBooking

PER_PAGE: Final = 100
"""Bookings of one page: about 30 KB."""


@dataclass(frozen=True, slots=True)
class Box:
    """Degrees. A box whose west is east of its east crosses the 180th meridian."""

    west: float
    south: float
    east: float
    north: float

    def contains(self, location: Mapping[str, Any] | None) -> bool:
        if location is None:
            return False
        lat, lng = location["lat"], location["lng"]
        if not self.south <= lat <= self.north:
            return False
        if self.west <= self.east:
            return bool(self.west <= lng <= self.east)
        return bool(lng >= self.west or lng <= self.east)


class LiveWatch:
    """Sends pages of the tracked bookings, then their events and locations.

    Every status event of a shown booking goes to the status lane. Locations are gathered: at most one for each booking
    and ``1 / max_rate`` seconds, each in a slot of the location lane. ``on_ended`` is called when the server ends the
    watch. ``box`` is None for all bookings; a booking without a location is in no box.
    """

    def __init__(
        self, client: Client, *, box: Box | None, max_rate: float, most_waiting: int, on_ended: Callable[[], None]
    ) -> None:
        self.client = client
        self.ended = False
        self._box = box
        self._interval = 1 / max_rate
        self._most_waiting = most_waiting
        self._on_ended = on_ended
        self._started = False
        self._shown: set[LiveBooking] = set()
        self._gathered: dict[LiveBooking, OutgoingFrame] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def closing(self) -> bool:
        return self.ended or self.client.lanes.closing

    async def send_pages(self, bookings: Sequence[LiveBooking]) -> None:
        """Send the state of these bookings, as fast as the client reads. Later ones come by :meth:`entered`."""
        self._started = True
        wanted = [booking for booking in bookings if self._contains(booking)]
        for start in range(0, max(1, len(wanted)), PER_PAGE):
            while self.client.lanes.waiting_bytes > self._most_waiting and not self.closing:
                await self.client.lanes.all_sent()
            if self.closing:
                return
            page = [
                booking
                for booking in wanted[start : start + PER_PAGE]
                if booking.tracked and booking not in self._shown and self._contains(booking)
            ]
            self._shown.update(page)
            last = start + PER_PAGE >= len(wanted)
            self.client.send(LivePage(bookings=[each.to_wire() for each in page], last=True if last else OMIT))
            await asyncio.sleep(0)

    # What the feed tells

    def entered(self, booking: LiveBooking) -> None:
        """Show a booking that is tracked from now on."""
        if self._started and not self.closing and booking not in self._shown and self._contains(booking):
            self._show(booking)
            if booking.location_frame is not None:
                self._gather(booking, booking.location_frame)

    def status(self, booking: LiveBooking, frame: OutgoingFrame) -> None:
        if self.closing or booking not in self._shown:
            return
        self.client.lanes.push(frame)
        metrics.deliveries.inc("status")
        if not booking.tracked:
            self._forget(booking)
        elif booking.location is None:
            self._clear_location(booking)

    def location(self, booking: LiveBooking, frame: OutgoingFrame) -> None:
        if self.closing or not self._started:
            return
        if not self._contains(booking):
            if booking in self._shown:
                self._forget(booking)
                self.client.send(LiveLeft(booking_id=booking.booking_id))
            return
        if booking not in self._shown:
            self._show(booking)
        self._gather(booking, frame)

    def left(self, booking: LiveBooking) -> None:
        """The booking is gone from the database."""
        if booking in self._shown and not self.closing:
            self._forget(booking)
            self.client.send(LiveLeft(booking_id=booking.booking_id))

    def end(self, reason: Disconnect | None = None) -> None:
        """End the watch; with a reason, the client is told."""
        if self.ended:
            return
        self.ended = True
        if self._timer is not None:
            self._timer.cancel()
        for booking in self._shown:
            self.client.lanes.clear_location_of(booking)
        self._shown.clear()
        self._gathered.clear()
        if reason is not None:
            self.client.send(Unsubscribed(channel="live", code=int(reason.close), message=reason.message))
            self._on_ended()

    def _contains(self, booking: LiveBooking) -> bool:
        return self._box is None or self._box.contains(booking.location)

    def _show(self, booking: LiveBooking) -> None:
        self._shown.add(booking)
        self.client.lanes.push(booking.event)

    def _forget(self, booking: LiveBooking) -> None:
        self._shown.discard(booking)
        self._clear_location(booking)

    def _clear_location(self, booking: LiveBooking) -> None:
        self._gathered.pop(booking, None)
        self.client.lanes.clear_location_of(booking)

    def _gather(self, booking: LiveBooking, frame: OutgoingFrame) -> None:
        self._gathered[booking] = frame
        if self._timer is None:
            self._flush()

    def _flush(self) -> None:
        """Hand the gathered locations to the slots, and gather again for one interval if there were any."""
        self._timer = None
        gathered, self._gathered = self._gathered, {}
        if self.closing or not gathered:
            return
        for booking, frame in gathered.items():
            self.client.lanes.set_location_of(booking, frame)
        metrics.deliveries.inc("location", len(gathered))
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._flush)
