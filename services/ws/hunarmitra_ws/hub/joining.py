"""How a subscription joins its channel: no event is lost, none comes twice.

:meth:`Joiner.join_all` has the six steps in their order, for one subscription or for several of one connection, which
are read for together. The order is the guarantee:

1. *Register* before anything is read: revocations find the subscription, and it holds back what its channel receives.
2. *Subscribe* the process to the channel at Redis, and wait for the acknowledgement: later events arrive.
3. *Authorize* and *read* the snapshot and the log after ``since``: earlier events are in the database.
4. *Read again* if an event was delivered, or a role revoked, that neither the read nor the held-back events have.
5. *Replay*: send the first frame, then the events up to the snapshot's seq; a long log page by page.
6. *Go live*: push the held-back events above that seq, then every event as it arrives.

Tests stop a join at the named checkpoints between the steps.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from hunarmitra.accounts.models import Role, User
from hunarmitra.accounts.tokens import Identity
from hunarmitra.common import checkpoints
from hunarmitra.protocol import channels
from hunarmitra.telemetry import tracing
from hunarmitra_ws.handshake import Since
from hunarmitra_ws.hub.batches import BatchedReads
from hunarmitra_ws.hub.channel import Channel
from hunarmitra_ws.hub.client import Client
from hunarmitra_ws.hub.database_threads import DatabaseThreads
from hunarmitra_ws.hub.disconnects import (
    NOT_STAFF,
    REPLACED,
    REPLAY_FAILED,
    TOO_MANY_CONNECTIONS,
    UNAUTHENTICATED,
    Disconnect,
    DisconnectError,
)
from hunarmitra_ws.hub.join_reader import Answer, JoinRequest, Snapshot, read_joins, read_users
from hunarmitra_ws.hub.queries import ChannelState, Event, read_page
from hunarmitra_ws.hub.recovery import Recovery
from hunarmitra_ws.hub.replay import Replay
from hunarmitra_ws.hub.replay_rate import ReplayRate
from hunarmitra_ws.hub.revocations import Revocations
from hunarmitra_ws.hub.subscription import Subscription
from hunarmitra_ws.hub.subscription_index import SubscriptionIndex
from hunarmitra_ws.hub.transport import Transport
from hunarmitra_ws.metrics import metrics

logger = logging.getLogger(__name__)

REVOCATIONS_TIMEOUT: Final = 5.0
"""Seconds that a join waits for the first read of the revocations after the process started."""

JOINS_AT_ONCE: Final = 10
"""Joins of one connection that are completed before the event loop serves others: well under a millisecond."""


class Joining(Protocol):
    """What a connection does while one of its subscriptions joins."""

    def read_slot(self) -> AbstractAsyncContextManager[None]:
        """Limit how many connections read at once; held during each read."""
        ...

    def joined(self, subscription: Subscription, snapshot: Snapshot, replayed: int) -> None:
        """Send the first frame; ``replayed`` events follow it."""
        ...

    def live(self, subscription: Subscription) -> None:
        """Take note that the subscription is live."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """A subscription that is to join, and the client's last seq."""

    subscription: Subscription
    since: Since


Outcome = bool | Disconnect
"""False if the subscription or its connection ended before the first frame; a reason if the user may not join."""


@dataclass(frozen=True, slots=True)
class _Join:
    wanted: Wanted
    channel: Channel
    request: JoinRequest


@dataclass(frozen=True, slots=True)
class JoinLimits:
    """``replay_buffer_bytes`` is how much may wait for a client before its replay pauses.

    ``replayed_per_minute`` is how many events are replayed to one user. ``silent_seconds`` is how long a user's oldest
    connection must be silent to give way to a new one.
    """

    connections_per_user: int
    silent_seconds: float
    replay_page_events: int
    replay_buffer_bytes: int
    replayed_per_minute: int


class Joiner:
    """Joins the subscriptions of one hub."""

    def __init__(  # noqa: PLR0917 - the hub's parts, each of a type of its own
        self,
        index: SubscriptionIndex,
        transport: Transport,
        threads: DatabaseThreads,
        concurrency: int,
        recovery: Recovery,
        revocations: Revocations,
        limits: JoinLimits,
    ) -> None:
        self._index = index
        self._transport = transport
        self._threads = threads
        self._reader: BatchedReads[JoinRequest, Answer] = BatchedReads(threads, concurrency, read_joins)
        self._users: BatchedReads[Identity, User | None] = BatchedReads(threads, concurrency, read_users)
        self._recovery = recovery
        self._revocations = revocations
        self._limits = limits
        self._replay_rate = ReplayRate(limits.replayed_per_minute, limits.connections_per_user)

    async def connect(self, client: Client) -> User:
        """Admit a connection that has no subscription yet, and return its user.

        Registered before its session is read, so that a session that ends in between is seen. Raises
        :class:`DisconnectError`, a database error, or TimeoutError.
        """
        await self._revocations_read()
        self._index.add_client(client)
        await checkpoints.reach_async("registered, session not read")
        user = (await self._users.ask([client.identity]))[0]
        if user is None:
            raise DisconnectError(UNAUTHENTICATED)
        self._take_place(client)
        return user

    async def join(self, subscription: Subscription, since: Since, connection: Joining) -> bool:
        """Join one subscription, as :meth:`join_all`. Raises :class:`DisconnectError` if the user may not join."""
        outcome = (await self.join_all([Wanted(subscription, since)], connection))[0]
        if isinstance(outcome, Disconnect):
            raise DisconnectError(outcome)
        return outcome

    async def join_all(self, wanted: Sequence[Wanted], connection: Joining) -> list[Outcome]:
        """Join subscriptions of one connection.

        The outcome is True for a subscription whose first frame is sent, and whose events are sent or are being sent by
        a replay task. Raises a database error, or TimeoutError.
        """
        # 1. Register.
        await checkpoints.reach_async("accepted, not registered")
        await self._revocations_read()
        joins = {id(each): self._register(each) for each in wanted if not _has_ended(each.subscription)}

        # 2. Subscribe. Without Redis the join goes on, and the comparison with the database recovers what is missed.
        acknowledged = await self.subscribe_channels([join.channel for join in joins.values()])
        tracing.mark("subscribed")
        await checkpoints.reach_async("subscribed, not read")
        joins = {key: join for key, join in joins.items() if not _has_ended(join.wanted.subscription)}
        if not joins:
            return [False] * len(wanted)
        if not await self._wait_for_replay([join.wanted for join in joins.values()]):
            return [TOO_MANY_CONNECTIONS] * len(wanted)

        # 3. Authorize and read.
        answers = await self._read([join.request for join in joins.values()], connection)
        tracing.mark("read")
        await checkpoints.reach_async("read, not live")
        outcomes: dict[int, Outcome] = {}
        for number, ((key, join), answer) in enumerate(zip(joins.items(), answers, strict=True), 1):
            if number % JOINS_AT_ONCE == 0:
                await asyncio.sleep(0)
            try:
                outcomes[key] = await self._complete(join, answer, connection, acknowledged)
            except DisconnectError as error:
                outcomes[key] = error.disconnect
        return [outcomes.get(id(each), False) for each in wanted]

    async def _wait_for_replay(self, wanted: Sequence[Wanted]) -> bool:
        """Wait while the user has had too many events replayed. Return False if too many of its connections wait."""
        if all(each.since.seq is None for each in wanted):
            return True
        client = wanted[0].subscription.client
        return await self._replay_rate.wait(client.identity.user_id, lambda: client.lanes.closing)

    async def _complete(self, join: _Join, answer: Answer, connection: Joining, acknowledged: bool) -> bool:
        subscription, since, channel = join.wanted.subscription, join.wanted.since, join.channel
        snapshot = _snapshot_of(answer)
        channel.start(
            seq=snapshot.state.seq,
            min_location_seq=snapshot.state.min_location_seq,
            location_order=snapshot.state.location_order,
        )
        while subscription.lanes.waiting_bytes > self._limits.replay_buffer_bytes and not _has_ended(subscription):
            await subscription.lanes.all_sent()

        # 4. Read again. A revocation that was announced before an event that is held back must be known here.
        await self._apply_revocations()
        while not _start_from(snapshot, subscription, channel):
            snapshot = _snapshot_of((await self._read([join.request], connection))[0])
            await self._apply_revocations()
        if _has_ended(subscription):
            return False

        # 5. Replay. From here to the end of a short replay nothing else runs on the event loop.
        if not subscription.client.admitted:
            self._take_place(subscription.client)
        newest = snapshot.state.seq
        events = None if since.malformed else snapshot.events
        missed = newest - since.seq if events is not None and since.seq is not None else 0
        connection.joined(subscription, snapshot, missed)
        self._replay_rate.count(subscription.client.identity.user_id, missed)
        if events is None:
            subscription.require_resync(newest)
        _count_resume(since, None if events is None else missed)
        replay = Replay(
            subscription=subscription,
            channel=channel,
            last_seq=newest - missed,
            location_order=snapshot.state.location_order,
            min_location_seq=snapshot.state.min_location_seq,
            most_waiting=self._limits.replay_buffer_bytes,
        )
        if not replay.finish_at_once(events or (), newest):
            subscription.replay = asyncio.create_task(self._replay_pages(replay, events or (), connection))
            return True

        # 6. Live. Compare if an event may have passed before the subscription, or other subscriptions are behind.
        self._go_live(subscription, channel, connection, compare=not acknowledged or (channel.last_seq or 0) < newest)
        return True

    async def _revocations_read(self) -> None:
        if not self._revocations.ready.is_set():
            await asyncio.wait_for(self._revocations.ready.wait(), REVOCATIONS_TIMEOUT)

    def _register(self, wanted: Wanted) -> _Join:
        subscription = wanted.subscription
        channel = self._index.add(subscription)
        request = JoinRequest(
            identity=subscription.client.identity,
            notifications=channels.user_of(channel.name) is not None,
            booking_id=subscription.booking_id,
            since=wanted.since.seq,
            page_events=self._limits.replay_page_events,
        )
        return _Join(wanted, channel, request)

    async def require_staff(self, client: Client) -> None:
        """Raises :class:`DisconnectError` unless the client's user is staff and its session valid."""
        user = (await self._users.ask([client.identity]))[0]
        if user is None:
            raise DisconnectError(UNAUTHENTICATED)
        if user.effective_role != Role.ADMIN:
            raise DisconnectError(NOT_STAFF)

    async def subscribe_channels(self, subscribed: Sequence[Channel]) -> bool:
        """Wait for Redis to acknowledge the process's subscriptions; whether it did for all of them."""
        for channel in subscribed:
            if channel.acknowledged is None:
                channel.acknowledged = asyncio.create_task(self._subscribe(channel))
        known = [channel.acknowledged for channel in subscribed]
        answers = await asyncio.gather(*[asyncio.shield(each) for each in known if isinstance(each, asyncio.Task)])
        return False not in known and all(answers)

    async def _subscribe(self, channel: Channel) -> bool:
        acknowledged = None
        try:
            await checkpoints.reach_async("registered, not subscribed")
            acknowledged = await self._transport.subscribe(channel.name)
        finally:
            channel.acknowledged = acknowledged
        return acknowledged

    async def _read(self, requests: Sequence[JoinRequest], connection: Joining) -> Sequence[Answer]:
        async with connection.read_slot():
            return await self._reader.ask(requests)

    def _take_place(self, client: Client) -> None:
        """Count the connection towards its user's limit. Raises :class:`DisconnectError` if the user has no place left.

        The oldest connection gives up its place if it has been silent: its client is probably gone. Called after
        authorization, so that a rejected client takes nobody's place.
        """
        others = [
            other
            for other in self._index.of_user(client.identity.user_id)
            if other.admitted and not other.lanes.closing
        ]
        if len(others) >= self._limits.connections_per_user:
            if others[0].silent_seconds() <= self._limits.silent_seconds:
                raise DisconnectError(TOO_MANY_CONNECTIONS)
            others[0].disconnect(REPLACED)
        client.admitted = True

    async def _replay_pages(self, replay: Replay, events: Sequence[Event], connection: Joining) -> None:
        """Send a long log as fast as the client reads; its messages are answered meanwhile."""
        subscription, channel = replay.subscription, replay.channel

        async def read(after: int) -> tuple[ChannelState | None, Sequence[Event]]:
            async with connection.read_slot():
                return await self._threads.run(read_page, channel.name, after, self._limits.replay_page_events)

        try:
            if await replay.finish(events, read):
                self._go_live(subscription, channel, connection, compare=True)
        except Exception:
            logger.exception("the replay of %s failed; the client is asked to resume", channel.name)
            subscription.disconnect(REPLAY_FAILED)
        finally:
            subscription.replay = None

    async def _apply_revocations(self) -> None:
        if self._revocations.pending:
            await asyncio.wait_for(self._revocations.applied(), REVOCATIONS_TIMEOUT)

    def _go_live(self, subscription: Subscription, channel: Channel, connection: Joining, *, compare: bool) -> None:
        if compare:
            self._recovery.request(channel.name, "recovery")
        self._recovery.started(channel.name)
        connection.live(subscription)


def _has_ended(subscription: Subscription) -> bool:
    """Whether the client left, or the hub disconnected it, during the join."""
    return subscription.lanes.closing


def _snapshot_of(answer: Answer) -> Snapshot:
    """Raises :class:`DisconnectError` if the user may not join."""
    if isinstance(answer, Disconnect):
        raise DisconnectError(answer)
    return answer


def _start_from(snapshot: Snapshot, subscription: Subscription, channel: Channel) -> bool:
    """Grant the snapshot's roles. Return False if the snapshot lacks an event or a revocation: read again."""
    if subscription.misses_events_after(snapshot.state.seq, channel.last_seq):
        return False
    return subscription.grant(snapshot.roles)


def _count_resume(since: Since, replayed: int | None) -> None:
    """``replayed`` is None when the log cannot be replayed."""
    if replayed is None:
        metrics.resumes.inc("resync")
    elif since.seq is None:
        metrics.resumes.inc("fresh")
    else:
        metrics.resumes.inc("replayed")
        metrics.resumed_events.observe(replayed)
