"""One job from the worker's side: set out, report positions on the way, arrive, complete."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from math import radians
from typing import Any, Final
from uuid import UUID

from hunarmitra.demo.data import SITE
from hunarmitra.demo.phone import Phone, PhoneError, RefusedError
from hunarmitra.demo.route import Point, moved, route
from hunarmitra.locations.fixes import distance_metres
from hunarmitra.protocol.statuses import FINAL, Status

SPEED: Final = 11.0
"""Metres per second: a scooter in town."""

FROM: Final = radians(225)
"""Direction in which the worker starts from, seen from the site: south-west."""

NEARBY_METRES: Final = 20_000.0
"""A last known location farther away belongs to another day; then the journey starts from its beginning."""


@dataclass(frozen=True)
class Step:
    """Something that the phone has done; ``position`` when it was a position."""

    text: str
    position: Point | None = None


class Journey:
    """``interval`` is the seconds between two positions, ``steps`` how many there are."""

    def __init__(self, phone: Phone, booking_id: UUID, *, interval: float, steps: int) -> None:
        self._phone = phone
        self._path = f"bookings/{booking_id}/"
        self._tracking = f"tracking/{booking_id}/"
        self._interval = interval
        self._steps = steps

    def check(self) -> None:
        """Raises PhoneError, before anything is done, unless the worker can set out or go on."""
        booking = self._booking()
        status = booking["status"]
        if status in FINAL:
            raise PhoneError(f"The booking is over: it is {status}.")
        if status == Status.REQUESTED:
            raise PhoneError("The booking is only requested: staff have to assign a worker first.")

    def run(self) -> Iterator[Step]:
        """Do it, telling each step once it is done. An interrupted journey goes on where it stopped."""
        booking = self._booking()
        if booking["status"] == Status.CONFIRMED:
            self._enter(Status.ON_THE_WAY)
            yield Step("on the way")
        if booking["status"] != Status.ARRIVED:
            yield from self._travel(booking)
            self._enter(Status.ARRIVED)
            yield Step("arrived")
            time.sleep(self._interval)
        self._enter(Status.COMPLETED)
        yield Step("completed")

    def _travel(self, booking: Any) -> Iterator[Step]:
        site = _site(booking)
        due = time.monotonic()
        for lat, lng in route(self._start(site), site, self._steps):
            time.sleep(max(0.0, due - time.monotonic()))
            self._phone.post(self._tracking, {"lat": lat, "lng": lng})
            due = max(due, time.monotonic() - self._interval) + self._interval
            yield Step("position", (lat, lng))

    def _start(self, site: Point) -> Point:
        """The last known position, or a point from which the journey takes its time at a town's speed."""
        with suppress(RefusedError):
            last = self._phone.get(self._tracking)
            start = (float(last["lat"]), float(last["lng"]))
            if distance_metres(*start, *site) < NEARBY_METRES:
                return start
        return moved(site, FROM, SPEED * self._interval * self._steps)

    def _booking(self) -> Any:
        try:
            return self._phone.get(self._path)
        except RefusedError as error:
            if error.status == 404:
                raise PhoneError("There is no such booking, or this user has no part in it.") from None
            raise

    def _enter(self, status: Status) -> None:
        self._phone.patch(f"{self._path}status/", {"status": status.value})


def _site(booking: Any) -> Point:
    """Where the work is; a booking without a site gets the demo's."""
    if booking.get("lat") is None or booking.get("lng") is None:
        return float(SITE[0]), float(SITE[1])
    return float(booking["lat"]), float(booking["lng"])
