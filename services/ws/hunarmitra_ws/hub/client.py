"""One connection as the hub sees it: whose it is, where its frames go, and whether it was ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hunarmitra.accounts.tokens import Identity
from hunarmitra.protocol.frames import Frame, encode
from hunarmitra_ws.hub.disconnects import Disconnect
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.lanes import Lanes, SubscriptionLanes

if TYPE_CHECKING:
    from hunarmitra_ws.hub.subscription import Subscription


class Client:
    """What ends with the user's session, token or account ends the client, with all its subscriptions.

    ``admitted`` is whether the connection received its first frame: it counts towards the user's limit from then on.
    ``ended`` is the reason for which the hub ended the connection. ``heard_at`` is when the client sent its last
    message, in monotonic seconds.
    """

    __slots__ = ("admitted", "ended", "heard_at", "identity", "lanes")

    def __init__(self, identity: Identity, lanes: Lanes) -> None:
        self.identity = identity
        self.lanes = lanes
        self.admitted = False
        self.ended: Disconnect | None = None
        self.heard_at = time.monotonic()

    def silent_seconds(self) -> float:
        """Return for how long nothing has come from the client, as far as the server tells."""
        return time.monotonic() - max(self.heard_at, self.lanes.heard_at)

    def lanes_of(self, subscription: Subscription) -> SubscriptionLanes:
        """Return what the subscription pushes to."""
        return self.lanes

    def address_of(self, subscription: Subscription) -> Mapping[str, str]:
        """Return the keys that tell which subscription a frame is about: none, where there is one subscription."""
        return {}

    def send(self, frame: Frame) -> None:
        self.lanes.push(OutgoingFrame(encode(frame)))

    def disconnect(self, reason: Disconnect) -> None:
        """End the connection, for the first reason that is given."""
        if self.ended is None:
            self.ended = reason
        reason.send(self.lanes)

    def end_subscription(self, subscription: Subscription, reason: Disconnect) -> None:
        """End one subscription: on an endpoint of one channel, that ends the connection."""
        self.disconnect(reason)
