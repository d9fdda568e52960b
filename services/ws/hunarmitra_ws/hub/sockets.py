"""One connected client as the hub sees it, and the indexes by which sockets are found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from hunarmitra.accounts.tokens import Identity
from hunarmitra.bookings.transitions import BookingRole
from hunarmitra.protocol.frames import Frame, encode
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.lanes import Lanes
from hunarmitra_ws.hub.refusals import Refusal
from hunarmitra_ws.metrics import metrics

_Key = TypeVar("_Key", int, UUID)


class Socket:
    """``roles`` are the grounds on which it may watch its booking (none on a notification socket).

    ``location_shown`` is the time of the position in its snapshot, whose message may be on its way still.
    While it is joining, what its group receives is held back; :meth:`go_live` hands over without a gap.
    """

    __slots__ = (
        "_held",
        "_held_location",
        "_lost",
        "booking_id",
        "expires_at",
        "group_name",
        "lanes",
        "last_seq",
        "live",
        "location_order",
        "location_seq",
        "location_shown",
        "roles",
        "session_id",
        "user_id",
    )

    def __init__(self, *, identity: Identity, booking_id: UUID | None, group_name: str, lanes: Lanes) -> None:
        self.user_id = identity.user_id
        self.session_id = identity.session_id
        self.expires_at: datetime = identity.expires_at
        self.booking_id = booking_id
        self.group_name = group_name
        self.lanes = lanes
        self.roles: frozenset[BookingRole] = frozenset()
        self._lost: frozenset[BookingRole] = frozenset()
        self.live = False
        self.last_seq = 0
        self.location_order = 0
        self.location_seq = 0
        self.location_shown = 0
        self._held: list[tuple[int, OutgoingFrame, bool]] | None = []
        self._held_location: tuple[int, int, OutgoingFrame] | None = None

    @property
    def admitted(self) -> bool:
        """Whether it had its first frame: it is live, or a long replay is on its way to it."""
        return self._held is None

    def allow(self, roles: frozenset[BookingRole]) -> bool:
        """The grounds that the database gave. False when one of them ended meanwhile: read again.

        It may have been given back since, so that only a read that began after the loss can tell.
        """
        lost, self._lost = self._lost, frozenset()
        if roles & lost:
            return False
        self.roles = roles
        return True

    def lose(self, role: BookingRole) -> bool:
        """A ground ended. True when none is left; while joining, :meth:`allow` decides that."""
        if not self.live:
            self._lost |= {role}
        had = role in self.roles
        self.roles -= {role}
        return had and not self.roles

    def deliver(self, seq: int, frame: OutgoingFrame, clears_location: bool) -> bool:
        """A numbered event. False when it is held back, or dropped because the client already has it."""
        if not self.live:
            if self._held is not None:
                self._held.append((seq, frame, clears_location))
            return False
        if seq <= self.last_seq:
            return False
        self.last_seq = seq
        if clears_location and self.location_seq < seq:
            self.lanes.clear_location()
            self.location_order = self.location_shown = 0
        self.lanes.push(frame)
        return True

    def deliver_location(self, seq: int, order: int, frame: OutgoingFrame) -> bool:
        """A position, unless the client has a newer one. ``order`` is in microseconds since 1970. False as above."""
        if not self.live:
            self._held_location = (seq, order, frame)
            return False
        if order < self.location_order or order == self.location_shown:
            return False
        self.location_order, self.location_seq = order, seq
        self.lanes.set_location(frame)
        return True

    def hold_no_events(self) -> None:
        """Its log is long: go on reading until nothing is missing, instead of holding back what comes meanwhile."""
        self._held = None

    def lacks_after(self, seq: int, group_seq: int | None) -> bool:
        """Whether events between ``seq``, up to which the log was read, and the group's newest were not held back.

        They were handed out before this socket was registered, yet committed after the read: it must read again.
        """
        if group_seq is None or group_seq <= seq:
            return False
        return not any(held[0] == seq + 1 for held in self._held or ())

    def go_live(self, *, seq: int, location_order: int, floor: int) -> None:
        """The client has everything up to ``seq``: hand over what was held back above it."""
        self.last_seq = seq
        self.location_order, self.location_seq = location_order, seq
        self.location_shown = location_order
        self.live = True
        held, self._held = self._held or [], None
        for event in held:
            if self.deliver(*event):
                metrics.deliveries.inc("status")
            if event[2] and event[0] > seq:
                floor = event[0]
        location = self._held_location
        if location is not None and location[0] >= floor and self.deliver_location(*location):
            metrics.deliveries.inc("location")
        self._held_location = None

    def send(self, frame: Frame) -> None:
        self.lanes.push(OutgoingFrame(encode(frame)))

    def refuse(self, refusal: Refusal) -> None:
        refusal.send(self.lanes)


class SocketIndex:
    """Finds sockets by user, by session and by the second in which their token expires."""

    def __init__(self) -> None:
        self._by_user: dict[UUID, dict[Socket, None]] = {}
        self._by_session: dict[UUID, set[Socket]] = {}
        self._by_expiry: dict[int, set[Socket]] = {}

    def __len__(self) -> int:
        return sum(len(sockets) for sockets in self._by_user.values())

    def add(self, socket: Socket) -> None:
        self._by_user.setdefault(socket.user_id, {})[socket] = None
        self._by_session.setdefault(socket.session_id, set()).add(socket)
        self._by_expiry.setdefault(_second(socket.expires_at), set()).add(socket)

    def remove(self, socket: Socket) -> None:
        _discard(self._by_session, socket.session_id, socket)
        _discard(self._by_expiry, _second(socket.expires_at), socket)
        sockets = self._by_user.get(socket.user_id)
        if sockets is not None:
            sockets.pop(socket, None)
            if not sockets:
                del self._by_user[socket.user_id]

    def add_session(self, socket: Socket, session_id: UUID) -> None:
        """Find the socket under this session too, until it is dropped or becomes the socket's own."""
        self._by_session.setdefault(session_id, set()).add(socket)

    def drop_session(self, socket: Socket, session_id: UUID) -> None:
        if session_id != socket.session_id:
            _discard(self._by_session, session_id, socket)

    def reidentify(self, socket: Socket, identity: Identity) -> None:
        """The client authenticated anew: another session perhaps, another expiry."""
        _discard(self._by_session, socket.session_id, socket)
        _discard(self._by_expiry, _second(socket.expires_at), socket)
        socket.session_id, socket.expires_at = identity.session_id, identity.expires_at
        self._by_session.setdefault(socket.session_id, set()).add(socket)
        self._by_expiry.setdefault(_second(socket.expires_at), set()).add(socket)

    def of_user(self, user_id: UUID) -> list[Socket]:
        """Oldest first."""
        return list(self._by_user.get(user_id, ()))

    def of_session(self, session_id: UUID) -> list[Socket]:
        return list(self._by_session.get(session_id, ()))

    def pop_expired(self, timestamp: float) -> Iterator[Socket]:
        """Each socket whose token expired before ``timestamp`` (seconds since 1970), once."""
        for second in [second for second in self._by_expiry if second < int(timestamp)]:
            yield from self._by_expiry.pop(second)


def _second(moment: datetime) -> int:
    return int(moment.timestamp())


def _discard(index: dict[_Key, set[Socket]], key: _Key, socket: Socket) -> None:
    sockets = index.get(key)
    if sockets is not None:
        sockets.discard(socket)
        if not sockets:
            del index[key]
