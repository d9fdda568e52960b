"""Sockets are found by user, session and expiry, also after they authenticated anew."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from hunarmitra.accounts.tokens import Identity
from hunarmitra.bookings.transitions import BookingRole
from hunarmitra_ws.hub.sockets import SocketIndex
from tests.unit.ws.fakes import make_socket


def test_sockets_of_a_user_come_oldest_first() -> None:
    index, user = SocketIndex(), uuid4()
    sockets = [make_socket(user=user)[0] for _ in range(5)]
    for socket in sockets:
        index.add(socket)
    index.remove(sockets[1])
    assert index.of_user(user) == [sockets[0], *sockets[2:]]
    assert len(index) == 4


def test_each_socket_expires_once() -> None:
    index = SocketIndex()
    early, _ = make_socket(expires=1000)
    late, _ = make_socket(expires=2000)
    index.add(early)
    index.add(late)
    assert list(index.pop_expired(1000)) == []
    assert list(index.pop_expired(1001)) == [early]
    assert list(index.pop_expired(1999)) == []
    index.remove(early)
    assert list(index.pop_expired(2001)) == [late]


def test_a_new_identity_replaces_session_and_expiry() -> None:
    index = SocketIndex()
    socket, _ = make_socket(expires=1000)
    index.add(socket)
    before = socket.session_id
    identity = Identity(socket.user_id, uuid4(), datetime.fromtimestamp(5000, tz=UTC))
    index.reidentify(socket, identity)
    assert index.of_session(before) == []
    assert index.of_session(identity.session_id) == [socket]
    assert list(index.pop_expired(4000)) == []
    assert list(index.pop_expired(5001)) == [socket]


def test_a_ground_lost_while_joining_makes_it_read_again() -> None:
    socket, _ = make_socket()
    assert not socket.lose(BookingRole.WORKER)
    assert not socket.allow(frozenset({BookingRole.WORKER})), "the read may be older than the loss"
    assert socket.allow(frozenset({BookingRole.WORKER})), "this one is not: it was given back"


def test_the_last_ground_that_is_lost_ends_the_socket() -> None:
    socket, _ = make_socket()
    assert socket.allow(frozenset({BookingRole.WORKER, BookingRole.STAFF}))
    assert not socket.lose(BookingRole.WORKER)
    assert socket.lose(BookingRole.STAFF)
    assert not socket.lose(BookingRole.STAFF)
