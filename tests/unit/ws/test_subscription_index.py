"""The index finds subscriptions by user, session and expiry, also after a second authentication."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from hunarmitra.accounts.tokens import Identity
from hunarmitra.bookings.transitions import BookingRole
from hunarmitra_ws.hub.subscription_index import SubscriptionIndex
from tests.unit.ws.fakes import make_subscription


def test_connections_of_a_user_come_oldest_first() -> None:
    index, user = SubscriptionIndex(), uuid4()
    subscriptions = [make_subscription(user=user)[0] for _ in range(5)]
    for subscription in subscriptions:
        index.add(subscription)
    index.remove(subscriptions[1])
    index.remove_client(subscriptions[1].client)
    left = [each.client for each in (subscriptions[0], *subscriptions[2:])]
    assert index.of_user(user) == left
    assert list(index.clients()) == left


def test_each_connection_expires_once() -> None:
    index = SubscriptionIndex()
    early, late = (make_subscription(expires=expiry)[0].client for expiry in (1000, 2000))
    index.add_client(early)
    index.add_client(late)
    assert list(index.pop_expired(1000)) == []
    assert list(index.pop_expired(1001)) == [early]
    assert list(index.pop_expired(1999)) == []
    index.remove_client(early)
    assert list(index.pop_expired(2001)) == [late]


def test_a_new_identity_replaces_session_and_expiry() -> None:
    index = SubscriptionIndex()
    client = make_subscription(expires=1000)[0].client
    index.add_client(client)
    before = client.identity.session_id
    identity = Identity(client.identity.user_id, uuid4(), datetime.fromtimestamp(5000, tz=UTC))
    index.reidentify(client, identity)
    assert index.of_session(before) == []
    assert index.of_session(identity.session_id) == [client]
    assert list(index.pop_expired(4000)) == []
    assert list(index.pop_expired(5001)) == [client]


def test_a_users_subscriptions_are_found_in_every_channel_and_a_channel_ends_with_its_last() -> None:
    index, user = SubscriptionIndex(), uuid4()
    own = [make_subscription(user=user, channel=channel)[0] for channel in ("booking.a", "booking.b")]
    for subscription in (*own, make_subscription(channel="booking.a")[0]):
        index.add(subscription)
    assert index.subscriptions_of(user) == own
    assert index.remove(own[0]) is None, "another subscription is left"
    abandoned = index.remove(own[1])
    assert abandoned is not None
    assert abandoned.name == "booking.b"
    assert index.remove(own[1]) is None, "it was removed before"


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
