"""Finds a process's subscriptions by channel, user, session and expiry."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from hunarmitra.accounts.tokens import Identity
from hunarmitra_ws.hub.channel import Channel
from hunarmitra_ws.hub.subscription import Subscription

_Key = TypeVar("_Key", int, UUID)


class SubscriptionIndex:
    """``channels`` has an entry for each channel with at least one subscription."""

    def __init__(self) -> None:
        self.channels: dict[str, Channel] = {}
        self._by_user: dict[UUID, dict[Subscription, None]] = {}
        self._by_session: dict[UUID, set[Subscription]] = {}
        self._by_expiry: dict[int, set[Subscription]] = {}

    def __len__(self) -> int:
        return sum(len(subscriptions) for subscriptions in self._by_user.values())

    def __iter__(self) -> Iterator[Subscription]:
        for subscriptions in list(self._by_user.values()):
            yield from list(subscriptions)

    def add(self, subscription: Subscription) -> Channel:
        """Register the subscription and return its channel, which is created for the first one."""
        self._by_user.setdefault(subscription.user_id, {})[subscription] = None
        self._by_session.setdefault(subscription.session_id, set()).add(subscription)
        self._by_expiry.setdefault(_second(subscription.expires_at), set()).add(subscription)
        channel = self.channels.get(subscription.channel_name)
        if channel is None:
            channel = self.channels[subscription.channel_name] = Channel(subscription.channel_name)
        subscription.channel_name = channel.name  # one string for all subscriptions of the channel
        channel.subscriptions[subscription] = None
        return channel

    def remove(self, subscription: Subscription) -> Channel | None:
        """Remove the subscription. Return its channel if that has no subscription left, and is removed as well."""
        _discard(self._by_session, subscription.session_id, subscription)
        _discard(self._by_expiry, _second(subscription.expires_at), subscription)
        subscriptions = self._by_user.get(subscription.user_id)
        if subscriptions is not None:
            subscriptions.pop(subscription, None)
            if not subscriptions:
                del self._by_user[subscription.user_id]
        channel = self.channels.get(subscription.channel_name)
        if channel is None:
            return None
        channel.subscriptions.pop(subscription, None)
        return None if channel.subscriptions else self.channels.pop(channel.name)

    def add_session(self, subscription: Subscription, session_id: UUID) -> None:
        """Find the subscription by this session too, until :meth:`drop_session` or :meth:`reidentify`."""
        self._by_session.setdefault(session_id, set()).add(subscription)

    def drop_session(self, subscription: Subscription, session_id: UUID) -> None:
        if session_id != subscription.session_id:
            _discard(self._by_session, session_id, subscription)

    def reidentify(self, subscription: Subscription, identity: Identity) -> None:
        """Replace session and expiry: the client sent a new token."""
        _discard(self._by_session, subscription.session_id, subscription)
        _discard(self._by_expiry, _second(subscription.expires_at), subscription)
        subscription.session_id, subscription.expires_at = identity.session_id, identity.expires_at
        self._by_session.setdefault(subscription.session_id, set()).add(subscription)
        self._by_expiry.setdefault(_second(subscription.expires_at), set()).add(subscription)

    def of_user(self, user_id: UUID) -> list[Subscription]:
        """Return the user's subscriptions, oldest first."""
        return list(self._by_user.get(user_id, ()))

    def of_session(self, session_id: UUID) -> list[Subscription]:
        return list(self._by_session.get(session_id, ()))

    def of_channel(self, channel_name: str) -> list[Subscription]:
        channel = self.channels.get(channel_name)
        return list(channel.subscriptions) if channel else []

    def pop_expired(self, timestamp: float) -> Iterator[Subscription]:
        """Yield, once, each subscription whose token expired before ``timestamp`` (seconds since 1970)."""
        for second in [second for second in self._by_expiry if second < int(timestamp)]:
            yield from self._by_expiry.pop(second)


def _second(moment: datetime) -> int:
    return int(moment.timestamp())


def _discard(index: dict[_Key, set[Subscription]], key: _Key, subscription: Subscription) -> None:
    subscriptions = index.get(key)
    if subscriptions is not None:
        subscriptions.discard(subscription)
        if not subscriptions:
            del index[key]
