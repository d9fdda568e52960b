"""The WebSocket endpoints: what each path means."""

from __future__ import annotations

import re
from typing import Final

from hunarmitra.accounts.tokens import Identity
from hunarmitra_ws.channel_kinds import NOTIFICATIONS_KIND, BookingKind, ChannelKind, parse_uuid
from hunarmitra_ws.hub.hub import Hub
from hunarmitra_ws.hub.lanes import Lanes
from hunarmitra_ws.shared_subscriptions import SharedSubscriptions
from hunarmitra_ws.single_subscription import SingleSubscription
from hunarmitra_ws.subscriptions import Owner, Subscriptions


class SharedEndpoint:
    """``/ws/``, whose clients subscribe by messages."""

    kind = "shared"


Endpoint = ChannelKind | SharedEndpoint
"""What the connections of a path listen to. ``kind`` is their kind in metrics."""

_BOOKING_PATH: Final = re.compile(r"/ws/bookings/([^/]+)/")
_SHARED: Final = SharedEndpoint()


def endpoint_for(path: str) -> Endpoint | None:
    """Return None for a path that the API does not have."""
    if path == "/ws/":
        return _SHARED
    if path == "/ws/notifications/":
        return NOTIFICATIONS_KIND
    booking = _BOOKING_PATH.fullmatch(path)
    return BookingKind(parse_uuid(booking[1])) if booking else None


def subscriptions(endpoint: Endpoint, owner: Owner, hub: Hub, identity: Identity, lanes: Lanes) -> Subscriptions:
    """Return what a connection of the endpoint has subscribed to."""
    if isinstance(endpoint, SharedEndpoint):
        return SharedSubscriptions(owner, hub, identity, lanes)
    return SingleSubscription(endpoint, owner, hub, identity, lanes)
