"""The subscription of a connection that has one: ``/ws/bookings/<id>/`` and ``/ws/notifications/``."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from hunarmitra.accounts.tokens import Identity
from hunarmitra_ws.channel_kinds import ChannelKind
from hunarmitra_ws.client_messages import Acknowledge, ClientMessage
from hunarmitra_ws.handshake import Since
from hunarmitra_ws.hub.client import Client
from hunarmitra_ws.hub.hub import Hub
from hunarmitra_ws.hub.join_reader import Snapshot
from hunarmitra_ws.hub.lanes import Lanes
from hunarmitra_ws.hub.subscription import Subscription
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.subscriptions import Owner


class SingleSubscription:
    """Its first frame is the connection's first frame, and its end the connection's end."""

    __slots__ = ("_channel", "_hub", "_owner", "_subscription", "client")

    def __init__(self, channel: ChannelKind, owner: Owner, hub: Hub, identity: Identity, lanes: Lanes) -> None:
        self._channel = channel
        self._owner = owner
        self._hub = hub
        self.client = Client(identity, lanes)
        self._subscription = Subscription(
            self.client, booking_id=channel.booking_id, channel_name=channel.channel_name(identity.user_id)
        )

    async def open(self, since: Since) -> bool:
        return await self._hub.subscribe(self._subscription, since, self)

    async def handle(self, message: ClientMessage) -> bool:
        if isinstance(message, Acknowledge):
            name = self._subscription.channel_name
            return metrics.acknowledgements.receive(name, message.seq, id(self._subscription))
        await self._channel.handle(message, self._subscription, self._hub)
        return False

    def close(self) -> None:
        self._hub.unsubscribe(self._subscription)
        self._hub.forget(self.client)

    # What the hub calls during the join

    def read_slot(self) -> AbstractAsyncContextManager[None]:
        return self._owner.read_slot()

    def joined(self, subscription: Subscription, snapshot: Snapshot, replayed: int) -> None:
        subscription.send(self._channel.first_frame(snapshot, subscription, replayed, self._owner.heartbeat))
        self._owner.first_frame_sent()

    def live(self, subscription: Subscription) -> None:
        self._owner.live()
