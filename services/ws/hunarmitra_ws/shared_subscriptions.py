"""The subscriptions of a connection of ``/ws/``: any number up to a limit, each by a message of the client."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from django.conf import settings
from django.db import Error as DatabaseError

from hunarmitra.accounts.models import Role
from hunarmitra.accounts.tokens import Identity
from hunarmitra.common.clock import to_wire, utc_now
from hunarmitra.database.troubles import log_failure
from hunarmitra.protocol.frames import OMIT, Connected, Error, Unsubscribed
from hunarmitra_ws.channel_kinds import NOTIFICATIONS_KIND, BookingKind, ChannelKind, kind_of, parse_uuid, whole
from hunarmitra_ws.client_messages import (
    Acknowledge,
    ClientMessage,
    ClientMessageError,
    MarkRead,
    PostLocation,
    Subscribe,
    Unsubscribe,
)
from hunarmitra_ws.handshake import Since
from hunarmitra_ws.hub.disconnects import (
    FORBIDDEN,
    NOT_FOUND,
    NOT_STAFF,
    TOO_MANY_SUBSCRIPTIONS,
    UNAVAILABLE,
    Disconnect,
    DisconnectError,
)
from hunarmitra_ws.hub.hub import Hub
from hunarmitra_ws.hub.join_reader import Snapshot
from hunarmitra_ws.hub.joining import Wanted
from hunarmitra_ws.hub.lanes import Lanes
from hunarmitra_ws.hub.live_watch import LiveWatch
from hunarmitra_ws.hub.shared_client import SharedClient
from hunarmitra_ws.hub.subscription import Subscription
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.subscription_requests import (
    BOOKING,
    LIVE,
    NOTIFICATIONS,
    ChannelRequest,
    LiveRequest,
    requested_channels,
    requested_live,
)
from hunarmitra_ws.subscriptions import Owner

logger = logging.getLogger(__name__)

_CLOSED_AS_ASKED: Final = 1000
NOT_SUBSCRIBED: Final = "not_subscribed"


class SharedSubscriptions:
    """Each subscription joins, ends and is refused by itself; the connection lives on.

    ``_held`` are the subscriptions by the names of their channels. ``_tasks`` are the tasks that run, each with the
    subscriptions that it joins. ``_gathered`` are those of the next task.
    """

    __slots__ = ("_gathered", "_held", "_hub", "_live", "_most", "_owner", "_staff", "_tasks", "client")

    def __init__(self, owner: Owner, hub: Hub, identity: Identity, lanes: Lanes) -> None:
        self._owner = owner
        self._hub = hub
        self._held: dict[str, Subscription] = {}
        self._tasks: dict[asyncio.Task[None], Sequence[Wanted]] | None = None  # most of the time there are none
        self._gathered: list[Wanted] | None = None
        self._live: LiveWatch | None = None
        self._most = 0
        self._staff = False
        self.client = SharedClient(identity, lanes, self)

    async def open(self, since: Since) -> bool:
        """Send ``connected``; ``since`` of the URL is ignored, each subscription has its own."""
        user = await self._hub.connect(self.client)
        if self.client.lanes.closing:
            return False
        self._staff = user.effective_role == Role.ADMIN
        environment = settings.ENVIRONMENT
        self._most = environment.ws_subscriptions_staff if self._staff else environment.ws_subscriptions
        self.client.send(
            Connected(
                heartbeat_seconds=whole(self._owner.heartbeat),
                expires_at=to_wire(self.client.identity.expires_at),
                server_time=to_wire(utc_now()),
                max_subscriptions=self._most,
            )
        )
        self._owner.first_frame_sent()
        self._owner.live()
        return True

    async def handle(self, message: ClientMessage) -> bool:
        if isinstance(message, Subscribe):
            if message.keys.get("channel") == LIVE:
                self._watch_live(requested_live(message.keys))
            else:
                self._subscribe(requested_channels(message.keys))
        elif isinstance(message, Unsubscribe):
            if message.keys.get("channel") == LIVE:
                self._drop_live()
                self.client.send(Unsubscribed(channel=LIVE, code=_CLOSED_AS_ASKED))
            else:
                self._unsubscribe(requested_channels(message.keys))
        elif isinstance(message, Acknowledge):
            return self._acknowledge(message)
        elif isinstance(message, PostLocation):
            await self._pass_on(self._addressed({**message.keys, "channel": BOOKING}, message.id), message)
        elif isinstance(message, MarkRead):
            await self._pass_on(self._addressed({"channel": NOTIFICATIONS}), message)
        else:
            raise ClientMessageError("unknown_type", "This type of message is not known here.")
        return False

    def close(self) -> None:
        for task in self._tasks or ():
            task.cancel()
        for subscription in self._held.values():
            self._hub.unsubscribe(subscription)
        self._held.clear()
        self._drop_live()
        self._hub.forget(self.client)
        self.client.holder = None  # the two refer to each other: else only the cyclic collector would free them

    # Subscribing

    def _subscribe(self, requests: Sequence[ChannelRequest]) -> None:
        """Join the channels together, with those of messages that have arrived at the same time.

        A channel that is subscribed to already starts again.
        """
        for request in requests:
            channel = _requested_kind(request)
            if request.booking is not None and channel.booking_id is None:
                self._refuse(request, NOT_FOUND if self._staff else FORBIDDEN)
                continue
            name = channel.channel_name(self.client.identity.user_id)
            self._drop(name)
            if len(self._held) >= self._most:
                self._refuse(request, TOO_MANY_SUBSCRIPTIONS)
                continue
            subscription = Subscription(self.client, booking_id=channel.booking_id, channel_name=name)
            self._held[name] = subscription
            if self._gathered is None:
                self._gathered = []
                self._start(self._join(self._gathered), joining=self._gathered)
            self._gathered.append(Wanted(subscription, request.since))

    def _start(self, work: Coroutine[Any, Any, None], joining: Sequence[Wanted] = ()) -> None:
        task = asyncio.create_task(work)
        if self._tasks is None:
            self._tasks = {}
        self._tasks[task] = joining
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._tasks is not None:
            self._tasks.pop(task, None)
            self._tasks = self._tasks or None

    async def _join(self, wanted: Sequence[Wanted]) -> None:
        self._gathered = None
        try:
            outcomes = await self._hub.subscribe_all(wanted, self)
        except (DatabaseError, TimeoutError) as error:
            log_failure(logger, "subscriptions could not join", error)
            self._end_unjoined(wanted)
        except Exception:
            logger.exception("subscriptions could not join")
            self._end_unjoined(wanted)
        else:
            for each, outcome in zip(wanted, outcomes, strict=True):
                if isinstance(outcome, Disconnect):
                    each.subscription.disconnect(outcome)
        finally:
            # Registered perhaps after the client had unsubscribed or left.
            for each in wanted:
                if each.subscription.lanes.closing:
                    self._hub.unsubscribe(each.subscription)

    @staticmethod
    def _end_unjoined(wanted: Sequence[Wanted]) -> None:
        for each in wanted:
            if not each.subscription.joined:
                each.subscription.disconnect(UNAVAILABLE)

    def _unsubscribe(self, requests: Sequence[ChannelRequest]) -> None:
        for request in requests:
            self._drop(_requested_kind(request).channel_name(self.client.identity.user_id))
            self.client.send(self._unsubscribed(request, _CLOSED_AS_ASKED))

    def _drop(self, channel_name: str) -> None:
        """End a subscription, if there is one, without telling the client."""
        subscription = self._held.pop(channel_name, None)
        if subscription is not None:
            self.client.drop(subscription)
            self._hub.unsubscribe(subscription)

    def subscription_ended(self, subscription: Subscription) -> None:
        if self._held.get(subscription.channel_name) is subscription:
            del self._held[subscription.channel_name]
        self._hub.unsubscribe(subscription)

    def _refuse(self, request: ChannelRequest, reason: Disconnect) -> None:
        self.client.send(self._unsubscribed(request, int(reason.close), reason.message))

    @staticmethod
    def _unsubscribed(request: ChannelRequest, code: int, message: str | None = None) -> Unsubscribed:
        booking_id = None if request.booking is None else parse_uuid(request.booking)
        return Unsubscribed(
            channel=NOTIFICATIONS if request.booking is None else BOOKING,
            booking_id=OMIT if request.booking is None else str(booking_id or request.booking),
            code=code,
            message=OMIT if message is None else message,
        )

    # The live feed

    def _watch_live(self, request: LiveRequest) -> None:
        self._drop_live()
        if not self._staff:
            self.client.send(Unsubscribed(channel=LIVE, code=int(NOT_STAFF.close), message=NOT_STAFF.message))
            return
        watch = self._live = LiveWatch(
            self.client,
            box=request.box,
            max_rate=request.max_rate,
            most_waiting=settings.ENVIRONMENT.ws_send_buffer_bytes // 2,
            on_ended=self._drop_live,
        )
        self._start(self._send_live(watch))

    async def _send_live(self, watch: LiveWatch) -> None:
        try:
            await self._hub.watch_live(watch)
        except DisconnectError as error:
            watch.end(error.disconnect)
        except (DatabaseError, TimeoutError) as error:
            logger.warning("the tracked bookings could not be read: %s", type(error).__name__)
            watch.end(UNAVAILABLE)
        except Exception:
            logger.exception("the tracked bookings could not be sent")
            watch.end(UNAVAILABLE)
        finally:
            if watch.closing:
                self._hub.unwatch_live(watch)

    def _drop_live(self) -> None:
        """End the watch, if there is one, without telling the client."""
        watch, self._live = self._live, None
        if watch is not None:
            self._hub.unwatch_live(watch)

    # Messages of one subscription

    def _acknowledge(self, message: Acknowledge) -> bool:
        try:
            subscription = self._addressed(message.keys)
        except ClientMessageError as error:
            if self._live is not None and error.code == NOT_SUBSCRIBED:
                return False  # an event of the live feed, which asks nobody
            raise
        return metrics.acknowledgements.receive(subscription.channel_name, message.seq, id(subscription))

    def _addressed(self, keys: Mapping[str, Any], identifier: str | None = None) -> Subscription:
        """Return the subscription that a message is about. Raises ClientMessageError."""
        booking, notifications = keys.get("booking_id"), keys.get("channel") == NOTIFICATIONS
        if not notifications and not isinstance(booking, str):
            raise ClientMessageError("invalid_message", "The message needs booking_id, a string.", identifier)
        channel = NOTIFICATIONS_KIND if notifications else BookingKind(parse_uuid(str(booking)))
        subscription = self._held.get(channel.channel_name(self.client.identity.user_id))
        if subscription is None:
            raise ClientMessageError(NOT_SUBSCRIBED, "Subscribe to the channel first.", identifier)
        return subscription

    async def _pass_on(self, subscription: Subscription, message: ClientMessage) -> None:
        """Handle a message once its subscription has joined, as an endpoint of one channel does."""
        if not subscription.joined and (joining := self._joining(subscription)):
            await asyncio.wait(joining)
        try:
            await kind_of(subscription).handle(message, subscription, self._hub)
        except ClientMessageError as error:
            self.client.send(Error(code=error.code, message=str(error), **subscription.address))

    def _joining(self, subscription: Subscription) -> list[asyncio.Task[None]]:
        tasks = self._tasks or {}
        return [task for task, wanted in tasks.items() if any(each.subscription is subscription for each in wanted)]

    # What the hub calls during the joins

    def read_slot(self) -> AbstractAsyncContextManager[None]:
        return self._owner.read_slot()

    def joined(self, subscription: Subscription, snapshot: Snapshot, replayed: int) -> None:
        subscription.send(kind_of(subscription).first_frame(snapshot, subscription, replayed, self._owner.heartbeat))

    def live(self, subscription: Subscription) -> None:
        """Do nothing: the connection has been live since its own first frame."""


def _requested_kind(request: ChannelRequest) -> ChannelKind:
    return NOTIFICATIONS_KIND if request.booking is None else BookingKind(parse_uuid(request.booking))
