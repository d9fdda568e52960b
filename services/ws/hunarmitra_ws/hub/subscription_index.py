"""Finds a process's clients by user, session and expiry, and its subscriptions by channel."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from hunarmitra.accounts.tokens import Identity
from hunarmitra.protocol import channels
from hunarmitra_ws.hub.channel import Channel
from hunarmitra_ws.hub.client import Client
from hunarmitra_ws.hub.live_watch import LiveWatch
from hunarmitra_ws.hub.subscription import Subscription


class SubscriptionIndex:
    """``channels`` has an entry for each channel with at least one subscription, or with a place in the live feed.

    Most users and sessions have one client, so their clients are in tuples: a dict or a set of one needs four times as
    much memory. Those of a second are many.
    """

    def __init__(self) -> None:
        self.channels: dict[str, Channel] = {}
        self.live_watches: dict[LiveWatch, None] = {}
        self._by_user: dict[UUID, tuple[Client, ...]] = {}
        self._by_session: dict[UUID, tuple[Client, ...]] = {}
        self._by_expiry: dict[int, set[Client]] = {}

    # Clients

    def clients(self) -> Iterator[Client]:
        for clients in list(self._by_user.values()):
            yield from clients

    def add_client(self, client: Client) -> None:
        """Register the client. Does nothing for one that is registered."""
        identity = client.identity
        alone = (client,)  # one tuple for both
        _put(self._by_user, identity.user_id, alone)
        _put(self._by_session, identity.session_id, alone)
        self._by_expiry.setdefault(_second(identity.expires_at), set()).add(client)

    def remove_client(self, client: Client) -> None:
        identity = client.identity
        _take(self._by_user, identity.user_id, client)
        _take(self._by_session, identity.session_id, client)
        self._discard_expiry(client)

    def add_session(self, client: Client, session_id: UUID) -> None:
        """Find the client by this session too, until :meth:`drop_session` or :meth:`reidentify`."""
        _put(self._by_session, session_id, (client,))

    def drop_session(self, client: Client, session_id: UUID) -> None:
        if session_id != client.identity.session_id:
            _take(self._by_session, session_id, client)

    def reidentify(self, client: Client, identity: Identity) -> None:
        """Replace session and expiry: the client sent a new token."""
        _take(self._by_session, client.identity.session_id, client)
        self._discard_expiry(client)
        client.identity = identity
        _put(self._by_session, identity.session_id, (client,))
        self._by_expiry.setdefault(_second(identity.expires_at), set()).add(client)

    def of_user(self, user_id: UUID) -> list[Client]:
        """Return the user's clients, oldest first."""
        return list(self._by_user.get(user_id, ()))

    def of_session(self, session_id: UUID) -> list[Client]:
        return list(self._by_session.get(session_id, ()))

    def pop_expired(self, timestamp: float) -> Iterator[Client]:
        """Yield, once, each client whose token expired before ``timestamp`` (seconds since 1970)."""
        for second in [second for second in self._by_expiry if second < int(timestamp)]:
            yield from self._by_expiry.pop(second)

    def _discard_expiry(self, client: Client) -> None:
        second = _second(client.identity.expires_at)
        clients = self._by_expiry.get(second)
        if clients is not None:
            clients.discard(client)
            if not clients:
                del self._by_expiry[second]

    # Subscriptions

    def add(self, subscription: Subscription) -> Channel:
        """Register the subscription and its client. Return its channel, which is created for the first one."""
        self.add_client(subscription.client)
        channel = self.channel(subscription.channel_name)
        subscription.channel_name = channel.name  # one string for all subscriptions of the channel
        channel.add(subscription)
        return channel

    def remove(self, subscription: Subscription) -> Channel | None:
        """Remove the subscription. Return its channel if that has no subscription left, and is removed as well."""
        channel = self.channels.get(subscription.channel_name)
        if channel is None or subscription not in channel.subscriptions:
            return None
        channel.remove(subscription)
        return None if channel.subscriptions or channel.feed is not None else self.channels.pop(channel.name)

    def counts(self) -> dict[str, int]:
        """Return the number of subscriptions of each kind of channel."""
        counts = {"booking": 0, "notifications": 0, "live": len(self.live_watches)}
        for name, channel in self.channels.items():
            counts["booking" if channels.is_booking(name) else "notifications"] += len(channel.subscriptions)
        return counts

    def channel(self, name: str) -> Channel:
        """Return the channel, created if nothing needed it before."""
        channel = self.channels.get(name)
        if channel is None:
            channel = self.channels[name] = Channel(name)
        return channel

    def of_channel(self, channel_name: str) -> list[Subscription]:
        channel = self.channels.get(channel_name)
        return list(channel.subscriptions) if channel else []

    def subscriptions_of(self, user_id: UUID) -> list[Subscription]:
        """Return the user's subscriptions. Looks at every subscription: for what happens rarely."""
        subscriptions = (each for channel in self.channels.values() for each in channel.subscriptions)
        return [each for each in subscriptions if each.client.identity.user_id == user_id]


def _second(moment: datetime) -> int:
    return int(moment.timestamp())


def _put(index: dict[UUID, tuple[Client, ...]], key: UUID, alone: tuple[Client]) -> None:
    clients = index.get(key, ())
    if alone[0] not in clients:
        index[key] = clients + alone if clients else alone


def _take(index: dict[UUID, tuple[Client, ...]], key: UUID, client: Client) -> None:
    clients = tuple(other for other in index.get(key, ()) if other is not client)
    if clients:
        index[key] = clients
    else:
        index.pop(key, None)
