"""The WebSocket endpoints: what each path means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from hunarmitra.accounts.tokens import Identity
from hunarmitra_ws.channel_kinds import BookingKind, ChannelKind, NotificationsKind
from hunarmitra_ws.hub.hub import Hub
from hunarmitra_ws.hub.lanes import Lanes
from hunarmitra_ws.shared_subscriptions import SharedSubscriptions
from hunarmitra_ws.single_subscription import SingleSubscription
from hunarmitra_ws.subscriptions import Owner, Subscriptions

SHARED: Final = "shared"

_BOOKING_PATH: Final = re.compile(r"/ws/bookings/([^/]+)/")
_NOTIFICATIONS_PATH: Final = "/ws/notifications/"
_SHARED_PATH: Final = "/ws/"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``channel`` is what its connections listen to; None for ``/ws/``, whose clients subscribe by messages."""

    channel: ChannelKind | None

    @property
    def kind(self) -> str:
        """The kind of its connections, in metrics."""
        return SHARED if self.channel is None else self.channel.kind

    def subscriptions(self, owner: Owner, hub: Hub, identity: Identity, lanes: Lanes) -> Subscriptions:
        if self.channel is None:
            return SharedSubscriptions(owner, hub, identity, lanes)
        return SingleSubscription(self.channel, owner, hub, identity, lanes)


def endpoint_for(path: str) -> Endpoint | None:
    """Return None for a path that the API does not have."""
    if path == _SHARED_PATH:
        return Endpoint(None)
    if path == _NOTIFICATIONS_PATH:
        return Endpoint(NotificationsKind())
    booking = _BOOKING_PATH.fullmatch(path)
    return Endpoint(BookingKind(booking[1])) if booking else None
