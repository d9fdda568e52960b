"""The hub: receives a process's messages and delivers them to its subscriptions.

Redis (or the memory bus) only wakes the hub; the database is the truth. Three things make the hub read events that it
may have missed (:mod:`.recovery`): a gap in a channel's seq, an interrupted Redis subscription, and the clock, because
a message that a failing Redis primary accepted and lost leaves no other trace.

The rest of the service calls only :class:`Hub`, and not its parts.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, TypeVar

from django.conf import settings
from redis.exceptions import RedisError

from hunarmitra.accounts.models import User
from hunarmitra.accounts.selectors import user_of_session
from hunarmitra.accounts.tokens import Identity
from hunarmitra.bookings.transitions import BookingRole
from hunarmitra.common import checkpoints
from hunarmitra.common.clock import microseconds_now, utc_now
from hunarmitra.outbox import relay
from hunarmitra.protocol import channels, messages
from hunarmitra.telemetry import tracing
from hunarmitra.tracking.locations import PostedLocation, Reading
from hunarmitra_ws.handshake import Since
from hunarmitra_ws.hub.channel import Channel
from hunarmitra_ws.hub.client import Client
from hunarmitra_ws.hub.consumer_channels import ConsumerChannels
from hunarmitra_ws.hub.database_threads import DatabaseThreads
from hunarmitra_ws.hub.disconnects import ACCOUNT_GONE, BOOKING_GONE, TOKEN_EXPIRED
from hunarmitra_ws.hub.joining import Joiner, Joining, JoinLimits, Outcome, Wanted
from hunarmitra_ws.hub.live_feed import LiveFeed
from hunarmitra_ws.hub.live_watch import LiveWatch
from hunarmitra_ws.hub.location_batch import BatchLimits, LocationBatch
from hunarmitra_ws.hub.recovery import Recovery
from hunarmitra_ws.hub.revocations import Revocations
from hunarmitra_ws.hub.subscription import Subscription
from hunarmitra_ws.hub.subscription_index import SubscriptionIndex
from hunarmitra_ws.hub.transport import Transport, make_transport
from hunarmitra_ws.hub.unsigned import UnsignedMessages
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.supervisor import Supervisor

_P = ParamSpec("_P")
_T = TypeVar("_T")

logger = logging.getLogger(__name__)

EXPIRY_INTERVAL: Final = 1.0
"""Seconds between two looks for expired tokens."""

DELAY_INTERVAL: Final = 0.1
"""Seconds between two samples of the event loop's delay."""

SILENT_HEARTBEATS: Final = 2
"""Heartbeats without a sign of life after which a client is probably gone."""

RELAY_INTERVAL: Final = 1.0
"""Seconds between two looks whether the relay's thread is alive."""


@dataclass(frozen=True)
class HubLimits:
    """Intervals in seconds; ``expiry_leeway`` is how long a connection outlives its token.

    ``location_future``: how many microseconds the time of a location may be in the future.
    """

    comparison_interval: float
    revocation_interval: float
    expiry_leeway: float
    database_threads: int
    relays: bool
    joins: JoinLimits
    locations: BatchLimits
    location_future: int = 60_000_000


class Hub:
    """The hub of one event loop. All methods are called on that loop.

    ``consumers`` is the channel layer's part of the hub.
    """

    def __init__(self, limits: HubLimits) -> None:
        self._limits = limits
        self._supervisor = Supervisor()
        self._background = DatabaseThreads("hub", 1)
        self._threads = DatabaseThreads("connections", limits.database_threads)
        self._transport: Transport = make_transport(self.receive, self._on_recovered, self._on_unsigned)
        self._index = SubscriptionIndex()
        self._recovery = Recovery(
            self._index.channels, self._background, interval=limits.comparison_interval, on_gone=self._on_gone
        )
        self._revocations = Revocations(self._index, self._background, interval=limits.revocation_interval)
        self._joiner = Joiner(
            self._index,
            self._transport,
            self._threads,
            limits.database_threads,
            self._recovery,
            self._revocations,
            limits.joins,
        )
        self._unsigned = UnsignedMessages(self._index.channels, self._recovery.request, self._revocations.check)
        self._live = LiveFeed(
            self._index,
            self._threads,
            subscribe=self._joiner.subscribe_channels,
            abandon=self._abandon,
            announce=self._announce_watched,
        )
        self._locations = LocationBatch(self._index.channels, limits.locations)
        self.consumers = ConsumerChannels(self._transport, self._index.channels.__contains__)
        self._relay = _RelayThread() if limits.relays else None

    # Start and stop

    async def start(self) -> None:
        tracing.start()
        metrics.compared_at = time.time()
        metrics.comparison_success.read = lambda: metrics.compared_at
        metrics.channels.read = lambda: len(self._index.channels)
        metrics.subscriptions.read = self._index.counts
        metrics.send_buffer.read = lambda: sum(each.lanes.waiting_bytes for each in self._index.clients())
        # Before the start, so that the first SUBSCRIBE at Redis has it.
        await self._transport.subscribe(channels.CONTROL)
        await self._transport.start(self._supervisor)
        if self._relay is not None:
            self._supervisor.start("relay", self._relay.run)
        self._supervisor.start("recovery", self._recovery.run)
        self._supervisor.start("revocations", self._revocations.run)
        self._supervisor.start("live feed", self._live.run)
        self._supervisor.start("token expiry", self._disconnect_expired)
        self._supervisor.start("loop delay", _sample_loop_delay)

    async def stop(self) -> None:
        await self._supervisor.stop()
        known = [channel.acknowledged for channel in self._index.channels.values()]
        waiting = [each for each in known if isinstance(each, asyncio.Task)]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await self._locations.stop()
        await self._transport.stop()
        self._unsigned.stop()
        if self._relay is not None:
            await self._relay.stop()
        self._threads.stop()
        self._background.stop()

    async def ready(self) -> None:
        """Wait until the database has answered once, so that subscriptions can join."""
        await self._revocations.ready.wait()

    def failing_tasks(self) -> Mapping[str, float]:
        """Return the background tasks that cannot be kept running, with the seconds for which that is so."""
        return self._supervisor.failing()

    # Messages

    def receive(self, channel_name: str, body: Mapping[str, Any]) -> None:
        """Take a message of a channel, in any order and any number of times. A malformed one is dropped."""
        self.consumers.deliver(channel_name, body)
        kind = body.get("type")
        if (malformed := messages.malformed_field(body)) is not None:
            logger.warning("dropped a message to %s: %s of %s is malformed", channel_name, malformed, kind)
            return
        channel = self._index.channels.get(channel_name)
        try:
            if kind == messages.STATUS and channel is not None:
                arrival = metrics.latency.arrived(body, "status")
                if not channel.receive(body["seq"], body["frame"], body.get("clears_location", False), arrival):
                    self._recovery.request(channel_name, "seq")
            elif kind == messages.LOCATION and channel is not None:
                if body["order"] > microseconds_now() + self._limits.location_future:
                    logger.warning("dropped a location of %s whose time is too far in the future", channel_name)
                    return
                arrival = metrics.latency.arrived(body, "location")
                channel.receive_location(body["seq"], body["order"], body["frame"], arrival)
            elif kind == messages.WATCHED:
                self._locations.watched(channel_name)
            elif kind == messages.REVOCATION and channel_name == channels.CONTROL:
                self._revocations.check()
        except Exception:  # one message must not harm the others
            logger.exception("failed to deliver a message to %s", channel_name)

    def _on_unsigned(self, channel_name: str) -> None:
        self._unsigned.received(channel_name)

    def _on_recovered(self) -> None:
        self._recovery.request_all("recovery")
        self._revocations.check()

    # Connections and subscriptions

    async def connect(self, client: Client) -> User:
        """Admit a connection that subscribes by messages: see :meth:`.Joiner.connect`."""
        return await self._joiner.connect(client)

    async def subscribe(self, subscription: Subscription, since: Since, connection: Joining) -> bool:
        """Join the subscription to its channel: see :meth:`.Joiner.join`. Call :meth:`unsubscribe` in every case."""
        joined = await self._joiner.join(subscription, since, connection)
        if joined:
            await self._announce_watched(_watched_of_others([subscription]))
        return joined

    async def subscribe_all(self, wanted: Sequence[Wanted], connection: Joining) -> list[Outcome]:
        """Join subscriptions of one connection: see :meth:`.Joiner.join_all`."""
        outcomes = await self._joiner.join_all(wanted, connection)
        joined = [each.subscription for each, outcome in zip(wanted, outcomes, strict=True) if outcome is True]
        await self._announce_watched(_watched_of_others(joined))
        return outcomes

    async def _announce_watched(self, channel_names: Sequence[str]) -> None:
        """Let the process that holds the worker's connection know: the worker may send less often while unwatched."""
        try:
            for name in channel_names:
                await self._transport.publish(name, {"type": messages.WATCHED})
        except (RedisError, OSError, TimeoutError) as error:
            logger.debug("did not announce a watcher: %s", type(error).__name__)

    def post_location(self, subscription: Subscription, reading: Reading, identifier: str | None) -> None:
        """Store a location that a worker's connection sent; the subscription gets the answer as a frame."""
        assert subscription.booking_id is not None
        posted = PostedLocation(
            booking_id=subscription.booking_id,
            user_id=subscription.client.identity.user_id,
            session_id=subscription.client.identity.session_id,
            reading=reading,
            received=utc_now(),
        )
        self._locations.add(subscription, posted, identifier)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget the subscription, joined or not."""
        self._locations.forget(subscription)
        if subscription.replay is not None:
            subscription.replay.cancel()
        abandoned = self._index.remove(subscription)
        if abandoned is not None:
            self._abandon(abandoned)

    def _abandon(self, channel: Channel) -> None:
        """Unsubscribe at Redis from a channel that nothing here needs any more."""
        if isinstance(channel.acknowledged, asyncio.Task):
            channel.acknowledged.cancel()
        if not self.consumers.has(channel.name):
            self._transport.unsubscribe(channel.name)

    async def watch_live(self, watch: LiveWatch) -> None:
        """Send the tracked bookings, then what happens to them. Call :meth:`unwatch_live` in every case.

        Registered before the role is read, so that a role that ends in between is seen. Raises
        :class:`DisconnectError`, a database error, or TimeoutError.
        """
        self._live.add(watch)
        await checkpoints.reach_async("watch registered, role not read")
        await self._joiner.require_staff(watch.client)
        await self._live.send_pages(watch)

    def unwatch_live(self, watch: LiveWatch) -> None:
        self._live.remove(watch)

    def forget(self, client: Client) -> None:
        """Forget a client whose connection has ended, and which has no subscription."""
        self._index.remove_client(client)

    async def reauthenticate(self, client: Client, identity: Identity) -> bool:
        """Replace session and expiry by those of a new token of the same user. Return False if the session has ended.

        While the new session is checked, the client is found by both sessions: a revocation of either is seen.
        """
        self._index.add_session(client, identity.session_id)
        valid = False
        try:
            await checkpoints.reach_async("reidentified, not checked")
            valid = await self.run(user_of_session, identity) is not None
        finally:
            if not valid:
                self._index.drop_session(client, identity.session_id)
        if valid:
            self._index.reidentify(client, identity)
        return valid

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run a function that uses the database in one of the threads that serve connections."""
        return await self._threads.run(function, *args, **kwargs)

    def _on_gone(self, channel_name: str) -> None:
        """Disconnect the subscriptions of a deleted booking or user."""
        self._live.gone(channel_name)
        for subscription in self._index.of_channel(channel_name):
            if subscription.booking_id is None:
                subscription.client.disconnect(ACCOUNT_GONE)
            else:
                subscription.disconnect(BOOKING_GONE)

    async def _disconnect_expired(self) -> None:
        while True:
            await asyncio.sleep(EXPIRY_INTERVAL)
            moment = utc_now().timestamp() - self._limits.expiry_leeway
            for client in self._index.pop_expired(moment):
                client.disconnect(TOKEN_EXPIRED)


def _watched_of_others(subscriptions: Sequence[Subscription]) -> list[str]:
    """Return the channels with a location that somebody other than the worker watches."""
    return [
        each.channel_name for each in subscriptions if each.known_location_order and each.roles - {BookingRole.WORKER}
    ]


async def _sample_loop_delay() -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + DELAY_INTERVAL
        await asyncio.sleep(DELAY_INTERVAL)
        now = loop.time()
        delay = max(0.0, now - due)
        metrics.loop_delay.observe(delay)
        metrics.recent_load.sample(now, delay, sum(metrics.deliveries.values.values()))


class _RelayThread:
    """The outbox relay inside this process, for the embedded default, which has no other process for it."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    async def run(self) -> None:
        """Start the thread if none is alive; return when it has ended, so that the supervisor starts it again."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=relay.run, args=[self._stop], name="relay", daemon=True)
            self._thread.start()
        while self._thread.is_alive():  # noqa: ASYNC110 - a thread cannot set an asyncio.Event when it dies
            await asyncio.sleep(RELAY_INTERVAL)

    async def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)


_hubs: dict[asyncio.AbstractEventLoop, asyncio.Task[Hub]] = {}


async def running_hub() -> Hub:
    """Return this event loop's hub, started by the first caller."""
    loop = asyncio.get_running_loop()
    starting = _hubs.get(loop)
    if starting is None or (starting.done() and (starting.cancelled() or starting.exception() is not None)):
        starting = _hubs[loop] = loop.create_task(_start())
    return await asyncio.shield(starting)


async def stop_hub() -> None:
    """Stop this event loop's hub, if it has one."""
    starting = _hubs.pop(asyncio.get_running_loop(), None)
    if starting is not None:
        hub = await starting
        await hub.stop()


async def _start() -> Hub:
    environment = settings.ENVIRONMENT
    hub = Hub(
        HubLimits(
            comparison_interval=environment.comparison_interval,
            revocation_interval=environment.hub_revocation_interval,
            expiry_leeway=environment.jwt_leeway,
            database_threads=environment.ws_database_threads,
            relays=environment.relays_in_process,
            joins=JoinLimits(
                connections_per_user=environment.ws_sockets_per_user,
                silent_seconds=SILENT_HEARTBEATS * environment.ws_heartbeat,
                replay_page_events=environment.ws_replay_page_events,
                replay_buffer_bytes=environment.ws_send_buffer_bytes // 2,
                replayed_per_minute=environment.ws_replayed_events_per_minute,
            ),
            locations=BatchLimits(
                gather=environment.ws_location_batch_ms / 1000, least_interval=environment.tracking_min_interval
            ),
            location_future=round((environment.tracking_max_future + environment.jwt_leeway) * 1_000_000),
        )
    )
    await hub.start()
    return hub
