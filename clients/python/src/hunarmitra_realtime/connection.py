"""One connection to `/ws/` for many subscriptions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

from hunarmitra_realtime.events import Backoff, Frame, State, TokenCallback
from hunarmitra_realtime.link import Link
from hunarmitra_realtime.live import FRAMES, LiveSubscription
from hunarmitra_realtime.subscription import (
    AS_ASKED,
    BookingSubscription,
    NotificationSubscription,
    Subscription,
)

GROUP_SECONDS = 0.3
"""Between two groups of requests: the server disconnects a client that sends more than 10 messages a second."""
LIST_LENGTH = 150
"""Bookings in one message, which has at most 16 KiB."""

NOTIFICATIONS, LIVE = "notifications", "live"


def booking_key(booking_id: str) -> str:
    """The server writes ids in lower case and with hyphens."""
    return f"booking {booking_id.replace('-', '').lower()}"


class RealtimeConnection(Link):
    """One connection for many streams, inside `async with`. After an interruption each one resumes after its own `seq`.

    `booking()`, `notifications()` and `live()` subscribe. A subscription that the server refuses or ends closes alone;
    its `state` has the reason, the code and the message.
    """

    def __init__(self, url: str, *, token: str | TokenCallback, backoff: Backoff | None = None) -> None:
        super().__init__(url, "/ws/", "connected", token=token, backoff=backoff)
        self.state = State("idle")
        self._subscriptions: dict[str, Subscription] = {}
        self._changed: dict[Subscription, None] = {}
        self._requested: set[Subscription] = set()  # the server sends to them
        self._sent_at = float("-inf")

    # ── for applications ────────────────────────────────────────────────────────────────────────────────────
    def booking(self, booking_id: str, *, since: int | None = None) -> BookingSubscription:
        """Subscribe to a booking; with `since`, every later event follows."""
        subscription = BookingSubscription(self, booking_key(booking_id), booking_id, since=since)
        self._add(subscription)
        return subscription

    def notifications(self, *, since: int | None = None) -> NotificationSubscription:
        """Subscribe to the user's notifications."""
        subscription = NotificationSubscription(self, NOTIFICATIONS, since=since)
        self._add(subscription)
        return subscription

    def live(self, bbox: Sequence[float] | None = None, *, max_rate: float | None = None) -> LiveSubscription:
        """Subscribe to all tracked bookings, or those in the box: west, south, east, north. Staff only.

        `max_rate` is the most locations of one booking in a second.
        """
        subscription = LiveSubscription(self, LIVE, bbox, max_rate)
        self._add(subscription)
        return subscription

    def _add(self, subscription: Subscription) -> None:
        if self.state.name == "closed":
            raise ValueError("the connection is closed")
        if subscription.key in self._subscriptions:
            raise ValueError(f"the connection has this subscription already: {subscription.key}")
        self._subscriptions[subscription.key] = subscription
        if self.state.name != "idle":
            subscription.follow(self.state)

    # ── for subscriptions ───────────────────────────────────────────────────────────────────────────────────
    @property
    def backoff(self) -> Backoff:
        return self._backoff

    def server_now(self) -> float:
        return self._server_now()

    async def send(self, message: Frame) -> bool:
        return await self._send(message)

    def change(self, subscription: Subscription) -> None:
        """Request or end a subscription, together with others that change now."""
        if self.state.name != "live":
            return
        if not self._changed:
            self._start(self._request_all())
        self._changed[subscription] = None

    def release(self, subscription: Subscription) -> None:
        if self._subscriptions.get(subscription.key) is subscription:
            del self._subscriptions[subscription.key]
        self.change(subscription)

    # ── of the link ─────────────────────────────────────────────────────────────────────────────────────────
    def _opened(self, frame: Frame) -> None:
        self._become(State("live"))

    def _become(self, state: State) -> None:
        self.state = state
        if state.name != "live":
            self._requested.clear()
            self._changed.clear()
        for subscription in tuple(self._subscriptions.values()):
            subscription.follow(state)

    def _close(self, state: State) -> None:
        self._become(state)

    def _failed(self, frame: Frame) -> None:
        for subscription in tuple(self._subscriptions.values()):
            subscription.fail(frame)

    async def _take(self, frame: Frame) -> bool:
        kind, booking_id = frame.get("type"), frame.get("booking_id")
        if kind in FRAMES and (live := self._subscriptions.get(LIVE)):
            await live.receive(frame)
        key = booking_key(booking_id) if isinstance(booking_id, str) else frame.get("channel")
        subscription = self._subscriptions.get(key) if isinstance(key, str) else None
        if subscription is not None:
            if kind == "unsubscribed" and frame.get("code") != AS_ASKED:
                self._requested.discard(subscription)
            await subscription.receive(frame)
        elif kind == "error" and key is None:
            self._failed(frame)
        return True

    async def _request_all(self) -> None:
        await asyncio.sleep(max(0.0, self._sent_at + GROUP_SECONDS - time.monotonic()))
        changed, self._changed = list(self._changed), {}
        self._sent_at = time.monotonic()
        ended = [each for each in changed if not each.wanted and each in self._requested]
        self._requested.difference_update(ended)
        # A new subscription of the channel ends the old one by itself.
        ended = [each for each in ended if each.key not in self._subscriptions]
        for keys in _messages("unsubscribe", ended):
            await self._send(keys)
        begun = [each for each in changed if each.wanted]
        self._requested.update(begun)
        for keys in _messages("subscribe", begun):
            await self._send(keys)


def _messages(kind: str, subscriptions: Sequence[Subscription]) -> Iterator[Frame]:
    """Yield one message for each channel, and one for many bookings."""
    bookings = [each for each in subscriptions if "booking_id" in each.address]
    singles = [each for each in subscriptions if each not in bookings]
    lists = [bookings[start : start + LIST_LENGTH] for start in range(0, len(bookings), LIST_LENGTH)]
    for group in [*([each] for each in singles), *lists]:
        if len(group) > 1:
            since = {each.address["booking_id"]: each.seq for each in group if each.seq is not None}
            keys: Frame = {"channel": "booking", "booking_ids": [each.address["booking_id"] for each in group]}
            yield {"type": kind, **keys, **({"since": since} if since and kind == "subscribe" else {})}
        elif kind == "subscribe":
            yield {"type": kind, **group[0].request}
        else:
            channel = {"channel": "booking"} if "booking_id" in group[0].address else {}
            yield {"type": kind, **channel, **group[0].address}
