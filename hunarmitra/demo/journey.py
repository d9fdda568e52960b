"""One job from the worker's side: set out, send locations on the way, arrive, complete."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import radians
from typing import Any, Final
from uuid import UUID

from hunarmitra_realtime import BookingStream, LocationSender, RequestError, Session, SharingEndedError

from hunarmitra.demo.data import SITE
from hunarmitra.demo.route import Point, moved, route
from hunarmitra.locations.fixes import distance_metres
from hunarmitra.protocol.statuses import FINAL, Status

SPEED: Final = 11.0
"""Metres per second: a scooter in town."""

STEP_SECONDS: Final = 2.0
"""Between two points of the route: as often as the server asks for a location while somebody watches."""

FROM: Final = radians(225)
"""Direction in which the worker starts from, seen from the site: south-west."""

NEARBY_METRES: Final = 20_000.0
"""A last known location farther away belongs to another day; then the journey starts from its beginning."""

PATIENCE_SECONDS: Final = 60.0
"""The journey is given up when no location was accepted for this long."""


class JourneyError(Exception):
    """What went wrong, as a sentence for the person at the terminal."""


@dataclass(frozen=True)
class Step:
    """What the worker has done, or why the worker waits. `done` is the number of points that are reached."""

    text: str
    place: Point | None = None
    done: int = 0
    waits: bool = False


class Journey:
    """``steps`` is the number of points on the route.

    With ``interval``, each point is sent, so many seconds after the one before. Without, the worker reaches a point
    every two seconds and sends the newest one as often as the server asks, which is seldom while nobody watches.
    """

    def __init__(
        self, session: Session, base_url: str, booking_id: UUID, *, steps: int, interval: float | None = None
    ) -> None:
        self._session, self._base_url = session, base_url
        self._booking_id = str(booking_id)
        self._steps, self._interval = steps, interval

    async def check(self) -> None:
        """Raise JourneyError, before anything is done, unless the worker can set out or go on."""
        status = (await self._booking())["status"]
        if status in FINAL:
            raise JourneyError(f"The booking is over: it is {status}.")
        if status == Status.REQUESTED:
            raise JourneyError("The booking is only requested: staff have to assign a worker first.")

    async def run(self, report: Callable[[Step], None]) -> None:
        """Do it, and report each step once it is done. An interrupted journey goes on where it stopped."""
        booking = await self._booking()
        if booking["status"] == Status.CONFIRMED:
            await self._enter(Status.ON_THE_WAY)
            report(Step("on the way"))
        if booking["status"] != Status.ARRIVED:
            # When the server takes no more locations, its answer to the next status says why.
            with suppress(SharingEndedError):
                await self._travel(booking, report)
            await self._enter(Status.ARRIVED)
            report(Step("arrived"))
            await asyncio.sleep(self._interval or STEP_SECONDS)
        await self._enter(Status.COMPLETED)
        report(Step("completed"))

    async def _travel(self, booking: Any, report: Callable[[Step], None]) -> None:
        site = _site(booking)
        points = route(await self._start(site), site, self._steps)
        async with BookingStream(self._base_url, self._booking_id, token=self._session.token) as stream:
            reading = asyncio.create_task(stream.discard())
            sender = LocationSender(self._session, self._booking_id, stream=stream)
            begun = due = time.monotonic()
            reached = 0
            while True:
                await self._deliver(sender, points[reached], report)
                report(Step("location", points[reached], reached + 1))
                if reached == len(points) - 1:
                    break
                if self._interval is None:
                    await sender.pause()
                    reached = max(reached + 1, int((time.monotonic() - begun) / STEP_SECONDS))
                else:
                    reached += 1
                    due = max(due + self._interval, time.monotonic())
                    await asyncio.sleep(due - time.monotonic())
                reached = min(reached, len(points) - 1)
        await reading

    async def _deliver(self, sender: LocationSender, point: Point, report: Callable[[Step], None]) -> None:
        """Send a point until it is accepted."""
        begun = time.monotonic()
        while not (sent := await sender.send(*point)).accepted:
            if time.monotonic() - begun > PATIENCE_SECONDS:
                raise JourneyError(f"No location was accepted for {PATIENCE_SECONDS:g} s: {sent.problem}")
            report(Step(sent.problem, waits=True))
            await sender.pause()

    async def _start(self, site: Point) -> Point:
        """The last known location, or a point from which the journey takes its time at a town's speed."""
        with suppress(RequestError):
            last = await self._session.call("GET", f"tracking/{self._booking_id}/")
            start = (float(last["lat"]), float(last["lng"]))
            if distance_metres(*start, *site) < NEARBY_METRES:
                return start
        return moved(site, FROM, SPEED * (self._interval or STEP_SECONDS) * self._steps)

    async def _booking(self) -> Any:
        try:
            return await self._session.call("GET", f"bookings/{self._booking_id}/")
        except RequestError as error:
            if error.status == 404:
                raise JourneyError("There is no such booking, or this user has no part in it.") from None
            raise

    async def _enter(self, status: Status) -> None:
        await self._session.call("PATCH", f"bookings/{self._booking_id}/status/", {"status": status.value})


def _site(booking: Any) -> Point:
    """Where the work is; a booking without a site gets the demo's."""
    if booking.get("lat") is None or booking.get("lng") is None:
        return float(SITE[0]), float(SITE[1])
    return float(booking["lat"]), float(booking["lng"])
