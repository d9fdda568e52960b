"""A connection with several subscriptions: they share its lanes, and one that ends leaves the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from hunarmitra.accounts.tokens import Identity
from hunarmitra.protocol.frames import OMIT, Unsubscribed
from hunarmitra_ws.hub.client import Client
from hunarmitra_ws.hub.disconnects import Disconnect
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.lanes import Lanes, SubscriptionLanes
from hunarmitra_ws.hub.subscription import Subscription

NOTIFICATIONS: Final[Mapping[str, str]] = {"channel": "notifications"}


class Holder(Protocol):
    """What has the subscriptions of a connection."""

    def subscription_ended(self, subscription: Subscription) -> None:
        """Forget a subscription that the server has ended; the client has been told."""
        ...


class SharedClient(Client):
    """The client of ``/ws/``. ``holder`` is None once the connection has ended."""

    __slots__ = ("holder",)

    def __init__(self, identity: Identity, lanes: Lanes, holder: Holder) -> None:
        super().__init__(identity, lanes)
        self.holder: Holder | None = holder

    def lanes_of(self, subscription: Subscription) -> SubscriptionLanes:
        return SharedLanes(self.lanes, labelled=subscription.booking_id is None)

    def address_of(self, subscription: Subscription) -> Mapping[str, str]:
        return NOTIFICATIONS if subscription.booking_id is None else {"booking_id": str(subscription.booking_id)}

    def end_subscription(self, subscription: Subscription, reason: Disconnect) -> None:
        """Tell the client with which code the endpoint of this channel would have closed."""
        if subscription.lanes.closing:
            return
        self.send(
            Unsubscribed(
                channel="notifications" if subscription.booking_id is None else "booking",
                booking_id=OMIT if subscription.booking_id is None else str(subscription.booking_id),
                code=int(reason.close),
                message=reason.message,
            )
        )
        self.drop(subscription)
        if self.holder is not None:
            self.holder.subscription_ended(subscription)

    @staticmethod
    def drop(subscription: Subscription) -> None:
        """Send nothing more of this subscription."""
        assert isinstance(subscription.lanes, SharedLanes)
        subscription.lanes.end()


class SharedLanes:
    """One subscription's part of a connection's lanes. ``labelled``: its frames name the channel."""

    __slots__ = ("_ended", "_labelled", "_lanes")

    def __init__(self, lanes: Lanes, *, labelled: bool) -> None:
        self._lanes = lanes
        self._labelled = labelled
        self._ended = False

    @property
    def closing(self) -> bool:
        return self._ended or self._lanes.closing

    @property
    def waiting_bytes(self) -> int:
        return self._lanes.waiting_bytes

    def push(self, frame: OutgoingFrame) -> None:
        if not self._ended:
            self._lanes.push(frame.labelled if self._labelled else frame)

    def set_location(self, frame: OutgoingFrame) -> None:
        if not self._ended:
            self._lanes.set_location_of(self, frame)

    def clear_location(self) -> None:
        self._lanes.clear_location_of(self)

    async def all_sent(self) -> None:
        await self._lanes.all_sent()

    def end(self) -> None:
        self._ended = True
        self._lanes.clear_location_of(self)
