"""What joining sockets read: who they are, what they may see, the snapshot and the log. Many of them at once.

A socket that joins alone is read for at once. While reads are under way, those that come meanwhile wait and are
read for together, in as many queries as one needs: when a whole fleet returns, the database sees a few dozen
queries and no thousands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Count

from hunarmitra.accounts.models import Role, User
from hunarmitra.accounts.selectors import users_of_sessions
from hunarmitra.accounts.tokens import Identity
from hunarmitra.bookings.models import Booking
from hunarmitra.bookings.selectors import roles_of
from hunarmitra.bookings.transitions import BookingRole
from hunarmitra.bookings.wire import stored_location_frame
from hunarmitra.common import checkpoints
from hunarmitra.notifications.models import Notification
from hunarmitra.protocol import channels
from hunarmitra.protocol.frames import LocationUpdated
from hunarmitra_ws.hub.database_threads import DatabaseThreads
from hunarmitra_ws.hub.reading import Event, Standing, Stretch, logs, standing_of
from hunarmitra_ws.hub.refusals import FORBIDDEN, NOT_FOUND, UNAUTHENTICATED, Refusal

MOST_AT_ONCE: Final = 64


class RefusedError(Exception):
    """A socket may not join."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.close.reason)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """``booking_id`` is None for the notifications and for a booking whose id is no UUID.

    ``since`` is None when nothing is to be replayed. At most ``page_events`` are read with the rest.
    """

    identity: Identity
    notifications: bool
    booking_id: UUID | None
    since: int | None
    page_events: int


@dataclass(frozen=True, slots=True)
class Joined:
    """What a joining socket is told.

    ``events`` is None when the log cannot be replayed from ``since``, else the first page of it.
    """

    standing: Standing
    roles: frozenset[BookingRole]
    events: Sequence[Event] | None
    status: str = ""
    location: LocationUpdated | None = None
    unread: int = 0


Answer = Joined | Refusal


class JoinReader:
    """Reads for sockets of one event loop; ``concurrency`` reads may be under way at once."""

    def __init__(self, threads: DatabaseThreads, concurrency: int) -> None:
        self._threads = threads
        self._free = concurrency
        self._waiting: list[tuple[JoinRequest, asyncio.Future[Answer]]] = []
        self._scheduled = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def read(self, request: JoinRequest) -> Joined:
        """Raises :class:`RefusedError`, or what the database raises."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((request, answered))
        if not self._scheduled:
            # Not at once: those that arrive in the same turn of the loop go together.
            self._scheduled = True
            loop.call_soon(self._dispatch)
        answer = await answered
        if isinstance(answer, Refusal):
            raise RefusedError(answer)
        return answer

    def _dispatch(self) -> None:
        self._scheduled = False
        while self._free and self._waiting:
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            self._free -= 1
            task = asyncio.create_task(self._answer(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, batch: Sequence[tuple[JoinRequest, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._threads.run(read_joins, [request for request, _ in batch])
        except Exception as error:  # noqa: BLE001 - it is those who wait that it concerns
            for _, answered in batch:
                if not answered.done():
                    answered.set_exception(error)
        else:
            for (_, answered), answer in zip(batch, answers, strict=True):
                if not answered.done():
                    answered.set_result(answer)
        finally:
            self._free += 1
            self._dispatch()


def read_joins(requests: Sequence[JoinRequest]) -> list[Answer]:
    """Authorize each, then snapshots and logs: at most five queries, however many sockets.

    A booking's row is read before its events, and a user's before the notifications: those up to the row's
    ``seq`` were committed with it.
    """
    users = users_of_sessions({request.identity for request in requests})
    checkpoints.reach("session read, not its booking")
    wanted = {request.booking_id for request in requests if request.booking_id and request.identity in users}
    bookings = {booking.pk: booking for booking in Booking.objects.filter(pk__in=wanted)} if wanted else {}
    checkpoints.reach("booking read, not its log")
    answers = [_authorize(request, users.get(request.identity), bookings) for request in requests]
    read = logs(stretch for pair in zip(requests, answers, strict=True) if (stretch := _first_page(*pair)))
    checkpoints.reach("user read, not the notifications")
    unread = _unread_counts(requests, answers)
    return [_complete(request, answer, read, unread) for request, answer in zip(requests, answers, strict=True)]


def _authorize(request: JoinRequest, user: User | None, bookings: Mapping[UUID, Booking]) -> Answer:
    if user is None:
        return UNAUTHENTICATED
    if request.notifications:
        return Joined(standing=Standing(user.notification_seq), roles=frozenset(), events=())
    booking = bookings.get(request.booking_id) if request.booking_id else None
    if booking is None:
        return NOT_FOUND if user.effective_role == Role.ADMIN else FORBIDDEN
    roles = roles_of(booking, user)
    if not roles:
        return FORBIDDEN
    return Joined(
        standing=standing_of(booking),
        roles=roles,
        events=(),
        status=booking.status,
        location=stored_location_frame(booking),
    )


def _group(request: JoinRequest) -> str:
    if request.notifications or request.booking_id is None:
        return channels.user_channel(request.identity.user_id)
    return channels.booking_channel(request.booking_id)


def _first_page(request: JoinRequest, answer: Answer) -> Stretch | None:
    """None when there is nothing to replay, or ``since`` is from the future."""
    if isinstance(answer, Refusal) or request.since is None or request.since >= answer.standing.seq:
        return None
    upto = min(answer.standing.seq, request.since + request.page_events)
    return Stretch(_group(request), request.since, upto)


def _unread_counts(requests: Sequence[JoinRequest], answers: Sequence[Answer]) -> dict[UUID, int]:
    users = {
        request.identity.user_id
        for request, answer in zip(requests, answers, strict=True)
        if request.notifications and isinstance(answer, Joined)
    }
    if not users:
        return {}
    counted = (
        Notification.objects.filter(user_id__in=users, read_at=None).values("user_id").annotate(unread=Count("pk"))
    )
    return {row["user_id"]: row["unread"] for row in counted}


def _complete(
    request: JoinRequest, answer: Answer, read: Mapping[str, Sequence[Event]], unread: Mapping[UUID, int]
) -> Answer:
    """With the events, or None for them unless they are exactly those after ``since``.

    What follows the first page is there if the page is: logs are pruned from their beginning.
    """
    if isinstance(answer, Refusal):
        return answer
    events: Sequence[Event] | None = ()
    if request.since is not None:
        stretch = _first_page(request, answer)
        if stretch is not None:
            log = [event for event in read[stretch.name] if stretch.after < event.seq <= stretch.upto]
            events = log if len(log) == stretch.upto - stretch.after else None
        elif request.since > answer.standing.seq:
            events = None
    return Joined(
        standing=answer.standing,
        roles=answer.roles,
        events=events,
        status=answer.status,
        location=answer.location,
        unread=unread.get(request.identity.user_id, 0),
    )
