"""Authorizes joining subscriptions and reads their snapshot and log: many of them in as many queries as one needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from hunarmitra.accounts.models import Role, User
from hunarmitra.accounts.selectors import users_of_sessions
from hunarmitra.accounts.tokens import Identity
from hunarmitra.bookings.models import Booking
from hunarmitra.bookings.selectors import bookings_by_id, roles_of
from hunarmitra.bookings.transitions import BookingRole
from hunarmitra.bookings.wire import stored_location_frame
from hunarmitra.common import checkpoints
from hunarmitra.notifications.selectors import unread_counts
from hunarmitra.protocol import channels
from hunarmitra.protocol.frames import LocationUpdated
from hunarmitra_ws.hub.disconnects import FORBIDDEN, NOT_FOUND, UNAUTHENTICATED, Disconnect
from hunarmitra_ws.hub.queries import ChannelState, Event, LogRange, read_logs, state_of
from hunarmitra_ws.hub.subscription import NO_ROLES


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """What to read for one join.

    ``booking_id`` is None for notifications, and for a booking whose id is not a UUID. ``since`` is None when nothing
    is to be replayed. At most ``page_events`` events of the log are read.
    """

    identity: Identity
    notifications: bool
    booking_id: UUID | None
    since: int | None
    page_events: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a subscription starts from.

    ``events`` is the first page of the log after ``since``, or None when the log cannot be replayed from there.
    """

    state: ChannelState
    roles: frozenset[BookingRole]
    events: Sequence[Event] | None
    status: str = ""
    location: LocationUpdated | None = None
    unread: int = 0


Answer = Snapshot | Disconnect


def read_users(identities: Sequence[Identity]) -> list[User | None]:
    """Return each identity's user, or None if its session has ended: one query."""
    users = users_of_sessions(set(identities))
    return [users.get(identity) for identity in identities]


def read_joins(requests: Sequence[JoinRequest]) -> list[Answer]:
    """Authorize each request, then read snapshots and logs: at most five queries, however many requests.

    A booking's row is read before its events, and a user's row before the notifications: the events up to the row's
    ``seq`` were committed with it.
    """
    users = users_of_sessions({request.identity for request in requests})
    checkpoints.reach("session read, not its booking")
    wanted = {request.booking_id for request in requests if request.booking_id and request.identity in users}
    bookings = bookings_by_id(wanted)
    checkpoints.reach("booking read, not its log")
    answers = [_authorize(request, users.get(request.identity), bookings) for request in requests]
    logs = read_logs(page for pair in zip(requests, answers, strict=True) if (page := _first_page(*pair)))
    checkpoints.reach("user read, not the notifications")
    unread = _unread_counts(requests, answers)
    return [_complete(request, answer, logs, unread) for request, answer in zip(requests, answers, strict=True)]


def _authorize(request: JoinRequest, user: User | None, bookings: Mapping[UUID, Booking]) -> Answer:
    if user is None:
        return UNAUTHENTICATED
    if request.notifications:
        return Snapshot(state=ChannelState(user.notification_seq), roles=NO_ROLES, events=())
    booking = bookings.get(request.booking_id) if request.booking_id else None
    if booking is None:
        return NOT_FOUND if user.effective_role == Role.ADMIN else FORBIDDEN
    roles = roles_of(booking, user)
    if not roles:
        return FORBIDDEN
    return Snapshot(
        state=state_of(booking),
        roles=roles,
        events=(),
        status=booking.status,
        location=stored_location_frame(booking),
    )


def _channel_name(request: JoinRequest) -> str:
    if request.notifications or request.booking_id is None:
        return channels.user_channel(request.identity.user_id)
    return channels.booking_channel(request.booking_id)


def _first_page(request: JoinRequest, answer: Answer) -> LogRange | None:
    """Return None when there is nothing to replay, or ``since`` is above the newest event."""
    if isinstance(answer, Disconnect) or request.since is None or request.since >= answer.state.seq:
        return None
    upto = min(answer.state.seq, request.since + request.page_events)
    return LogRange(_channel_name(request), request.since, upto)


def _unread_counts(requests: Sequence[JoinRequest], answers: Sequence[Answer]) -> dict[UUID, int]:
    users = {
        request.identity.user_id
        for request, answer in zip(requests, answers, strict=True)
        if request.notifications and isinstance(answer, Snapshot)
    }
    return unread_counts(users)


def _complete(
    request: JoinRequest, answer: Answer, logs: Mapping[str, Sequence[Event]], unread: Mapping[UUID, int]
) -> Answer:
    """Add the events, or None unless the page has every event after ``since``.

    The events after a complete first page exist too: logs are pruned from their beginning.
    """
    if isinstance(answer, Disconnect):
        return answer
    events: Sequence[Event] | None = ()
    if request.since is not None:
        page = _first_page(request, answer)
        if page is not None:
            log = [event for event in logs[page.name] if page.after < event.seq <= page.upto]
            events = log if len(log) == page.upto - page.after else None
        elif request.since > answer.state.seq:
            events = None
    return Snapshot(
        state=answer.state,
        roles=answer.roles,
        events=events,
        status=answer.status,
        location=answer.location,
        unread=unread.get(request.identity.user_id, 0),
    )
