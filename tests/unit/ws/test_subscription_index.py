"""Connections are found by user, session and expiry, also after a second authentication."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from hunarmitra.accounts.tokens import Identity
from hunarmitra.bookings.transitions import BookingRole
from hunarmitra_ws.hub.subscription_index import SubscriptionIndex
from tests.unit.ws.fakes import make_subscription


def test_sockets_of_a_user_come_oldest_first() -> None:
    index, user = SubscriptionIndex(), uuid4()
    subscriptions = [make_subscription(user=user)[0] for _ in range(5)]
    for subscription in subscriptions:
        index.add(subscription)
    index.remove(subscriptions[1])
    assert index.of_user(user) == [subscriptions[0], *subscriptions[2:]]
    assert len(index) == 4


def test_each_socket_expires_once() -> None:
    index = SubscriptionIndex()
    early, _ = make_subscription(expires=1000)
    late, _ = make_subscription(expires=2000)
    index.add(early)
    index.add(late)
    assert list(index.pop_expired(1000)) == []
    assert list(index.pop_expired(1001)) == [early]
    assert list(index.pop_expired(1999)) == []
    index.remove(early)
    assert list(index.pop_expired(2001)) == [late]


def test_a_new_identity_replaces_session_and_expiry() -> None:
    index = SubscriptionIndex()
    subscription, _ = make_subscription(expires=1000)
    index.add(subscription)
    before = subscription.session_id
    identity = Identity(subscription.user_id, uuid4(), datetime.fromtimestamp(5000, tz=UTC))
    index.reidentify(subscription, identity)
    assert index.of_session(before) == []
    assert index.of_session(identity.session_id) == [subscription]
    assert list(index.pop_expired(4000)) == []
    assert list(index.pop_expired(5001)) == [subscription]


def test_a_role_revoked_while_joining_makes_it_read_again() -> None:
    subscription, _ = make_subscription()
    assert not subscription.revoke(BookingRole.WORKER)
    assert not subscription.grant(frozenset({BookingRole.WORKER})), "the read may be older than the revocation"
    assert subscription.grant(frozenset({BookingRole.WORKER})), "this one is not: it was given back"


def test_the_last_role_that_is_revoked_ends_the_subscription() -> None:
    subscription, _ = make_subscription()
    assert subscription.grant(frozenset({BookingRole.WORKER, BookingRole.STAFF}))
    assert not subscription.revoke(BookingRole.WORKER)
    assert subscription.revoke(BookingRole.STAFF)
    assert not subscription.revoke(BookingRole.STAFF)
