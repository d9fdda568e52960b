"""Locations from workers' connections, gathered for a moment and stored with one statement.

A batch is stored when its first location has waited 20 ms (``WS_LOCATION_BATCH_MS``), also if that one arrived while
another batch was stored: small batches cost more for each location. One batch is stored at a time, so that a slow
database makes batches larger and not more. At most one location of a booking waits: a newer one takes its place, and
its sender is told. So what waits is bounded by the number of bookings that send.

A statement may take long: a database that hangs answers nothing, and a database that is away is tried for seconds. The
sender of a location without a result after two seconds gets ``unavailable``. A location that still waits is dropped.
The one in the statement may be stored later. A location that has waited half of that is dropped before a statement:
under overload its sender would otherwise be told ``unavailable`` before the statement ends, and so would all others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final
from uuid import UUID

from django.db import Error as DatabaseError

from hunarmitra.common import checkpoints
from hunarmitra.common.clock import to_microseconds, to_wire
from hunarmitra.database.troubles import log_failure
from hunarmitra.protocol import channels
from hunarmitra.protocol.frames import OMIT, Error, LocationAccepted, Pace
from hunarmitra.tracking.judging import TooSoonError
from hunarmitra.tracking.locations import AcceptedLocation, PostedLocation
from hunarmitra.tracking.services import LocationError, locations_accept
from hunarmitra_ws.hub.channel import Channel
from hunarmitra_ws.hub.database_threads import DatabaseThreads
from hunarmitra_ws.hub.subscription import Subscription

logger = logging.getLogger(__name__)

MOST_IN_BATCH: Final = 200
"""The statement's cost per location hardly falls beyond it."""

CHECK_SECONDS: Final = 0.25
"""How often a batch that takes long is checked for senders who wait too long."""

_CODES: Final[Mapping[str, str]] = {"not_found": "not_allowed", "permission_denied": "not_allowed"}
"""REST's codes that a connection words otherwise: a connection sees its booking, so only the right can be missing."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """``since`` is the event loop's time since when a location of this booking waits."""

    sender: Subscription
    posted: PostedLocation
    id: str | None
    since: float


_Unanswered = dict[UUID, _Waiting]
"""By booking, in the order of ``since``."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Seconds: a batch's gathering, a booking's least interval, a sender's longest wait after the gathering, and the
    pause after that."""

    gather: float
    least_interval: float
    patience: float = 2.0
    retry: float = 2.0


class LocationBatch:
    """Gathers the locations of one process. All methods are called on the event loop."""

    def __init__(self, subscribed: Mapping[str, Channel], limits: BatchLimits) -> None:
        self._subscribed = subscribed
        self._limits = limits
        self._threads = DatabaseThreads("locations", 1)
        self._waiting: _Unanswered = {}
        self._storing: asyncio.Task[None] | None = None
        self._slow_senders: dict[str, Subscription] = {}

    def add(self, sender: Subscription, posted: PostedLocation, identifier: str | None) -> None:
        """Store a location with the next batch; the sender gets the answer as a frame."""
        since = _now()
        replaced = self._waiting.get(posted.booking_id)
        if replaced is not None:
            since = replaced.since
            self._reject(replaced, TooSoonError(self._limits.least_interval))
        self._waiting[posted.booking_id] = _Waiting(sender, posted, identifier, since)
        if self._storing is None:
            self._storing = asyncio.create_task(self._store_all())

    def watched(self, channel_name: str) -> None:
        """Ask the booking's worker for more frequent locations, if it sends through this process."""
        sender = self._slow_senders.pop(channel_name, None)
        if sender is not None and sender.booking_id is not None:
            sender.send(Pace(booking_id=str(sender.booking_id), next_in_ms=round(self._limits.least_interval * 1000)))

    def forget(self, sender: Subscription) -> None:
        """Forget a sender whose connection has ended."""
        if self._slow_senders.get(sender.channel_name) is sender:
            del self._slow_senders[sender.channel_name]

    async def stop(self) -> None:
        if self._storing is not None:
            self._storing.cancel()
            await asyncio.gather(self._storing, return_exceptions=True)
        self._threads.stop()

    async def _store_all(self) -> None:
        try:
            while self._waiting:
                await self._gather()
                self._give_up(self._waiting, self._limits.patience / 2)
                oldest = list(islice(self._waiting, MOST_IN_BATCH))
                if oldest:
                    await self._store({booking_id: self._waiting.pop(booking_id) for booking_id in oldest})
        finally:
            self._storing = None

    async def _gather(self) -> None:
        """Wait until the oldest location has waited long enough; let the event loop do its other work in any case."""
        oldest = next(iter(self._waiting.values()))
        await asyncio.sleep(max(0.0, oldest.since + self._limits.gather - _now()))

    async def _store(self, unanswered: _Unanswered) -> None:
        for each in unanswered.values():
            each.sender.known_location_order = to_microseconds(each.posted.moment)  # no echo to the sender
        # In the order of the ids, in which every process locks.
        batch = [unanswered[booking_id].posted for booking_id in sorted(unanswered)]
        try:
            await checkpoints.reach_async("gathered, not stored")
            answers = await self._result(batch, unanswered)
        except (DatabaseError, TimeoutError) as error:
            log_failure(logger, f"{len(batch)} locations were not stored", error)
            for each in unanswered.values():
                self._unavailable(each)
        except Exception:
            logger.exception("%d locations were not stored", len(batch))
            for each in unanswered.values():
                self._unavailable(each)
        else:
            for booking_id, each in unanswered.items():
                self._answer(each, answers[booking_id])

    async def _result(
        self, batch: Sequence[PostedLocation], unanswered: _Unanswered
    ) -> Mapping[UUID, AcceptedLocation | LocationError]:
        """Store a batch. Meanwhile answer senders who have waited too long, and remove them from ``unanswered``."""
        storing = asyncio.create_task(self._threads.run(locations_accept, batch, self._count_watchers))
        try:
            while not (await asyncio.wait({storing}, timeout=CHECK_SECONDS))[0]:
                self._give_up(unanswered, self._limits.patience)
                self._give_up(self._waiting, self._limits.patience)
            return storing.result()
        finally:
            storing.cancel()

    def _give_up(self, unanswered: _Unanswered, longest: float) -> None:
        """Answer and drop those that have waited longer than the gathering and ``longest`` seconds."""
        overdue = _now() - self._limits.gather - longest
        while unanswered and next(iter(unanswered.values())).since < overdue:
            self._unavailable(unanswered.pop(next(iter(unanswered))))

    def _count_watchers(self, booking_id: UUID, listeners: int | None) -> int | None:
        """This process listens because the sender is subscribed here; the sender itself does not count."""
        channel = self._subscribed.get(channels.booking_channel(booking_id))
        here = 0 if channel is None else max(0, len(channel.subscriptions) - 1) + (channel.feed is not None)
        return here if listeners is None else max(0, listeners - 1) + here

    def _answer(self, each: _Waiting, answer: AcceptedLocation | LocationError) -> None:
        if not isinstance(answer, AcceptedLocation):
            self._reject(each, answer)
            return
        if answer.next_in_ms > self._limits.least_interval * 1000:
            self._slow_senders[each.sender.channel_name] = each.sender
        else:
            self._slow_senders.pop(each.sender.channel_name, None)
        each.sender.send(
            LocationAccepted(
                booking_id=str(each.posted.booking_id),
                timestamp=to_wire(answer.moment),
                next_in_ms=answer.next_in_ms,
                id=OMIT if each.id is None else each.id,
            )
        )

    def _reject(self, each: _Waiting, error: LocationError) -> None:
        if isinstance(error, TooSoonError):
            code, retry = "too_soon", round(error.wait_seconds * 1000)
        else:
            code, retry = _CODES.get(error.code, error.code), None
        self._send_error(each, code, str(error), retry)

    def _unavailable(self, each: _Waiting) -> None:
        self._send_error(
            each, "unavailable", "The service is unavailable; try again.", round(self._limits.retry * 1000)
        )

    @staticmethod
    def _send_error(each: _Waiting, code: str, message: str, retry_in_ms: int | None) -> None:
        each.sender.send(
            Error(
                code=code,
                message=message,
                retry_in_ms=OMIT if retry_in_ms is None else retry_in_ms,
                id=OMIT if each.id is None else each.id,
                **each.sender.address,
            )
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
