"""How a subscription joins its channel: no event is lost, none comes twice.

:meth:`Joiner.join` has the six steps in their order. The order is the guarantee:

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
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from django.db import Error as DatabaseError

from hunarmitra.common import checkpoints
from hunarmitra.protocol import channels
from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra.protocol.frames import ResyncRequired
from hunarmitra.telemetry import tracing
from hunarmitra_ws.handshake import Since
from hunarmitra_ws.hub.channel import Channel
from hunarmitra_ws.hub.client import Client
from hunarmitra_ws.hub.database_threads import DatabaseThreads
from hunarmitra_ws.hub.disconnects import TOO_MANY_CONNECTIONS
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.join_reader import JoinReader, JoinRequest, Snapshot
from hunarmitra_ws.hub.queries import ChannelState, Event, read_page
from hunarmitra_ws.hub.recovery import Recovery
from hunarmitra_ws.hub.revocations import Revocations
from hunarmitra_ws.hub.subscription import Subscription
from hunarmitra_ws.hub.subscription_index import SubscriptionIndex
from hunarmitra_ws.hub.transport import Transport
from hunarmitra_ws.metrics import metrics

logger = logging.getLogger(__name__)

REVOCATIONS_TIMEOUT: Final = 5.0
"""Seconds that a join waits for the first read of the revocations after the process started."""

PAUSE: Final = 0.2
"""Seconds before the next read after the database failed, or lacked an event that Redis already announced."""

AT_ONCE: Final = 5
"""Events encoded before the event loop serves others: about 0.05 ms, which delays live events in each such turn."""

PER_WRITE: Final = 25
"""Events pushed together, so that they leave in one write: a write costs as much as encoding a frame."""

ReadPage = Callable[[int], Awaitable[tuple[ChannelState | None, Sequence[Event]]]]
"""Reads a page of events after a seq; the state is None when the channel's booking or user was deleted."""


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
class JoinLimits:
    """``replay_buffer_bytes`` is how much may wait for a client before its replay pauses."""

    connections_per_user: int
    replay_page_events: int
    replay_buffer_bytes: int


class Joiner:
    """Joins the subscriptions of one hub."""

    def __init__(  # noqa: PLR0917 - the hub's parts, each of a type of its own
        self,
        index: SubscriptionIndex,
        transport: Transport,
        threads: DatabaseThreads,
        reader: JoinReader,
        recovery: Recovery,
        revocations: Revocations,
        limits: JoinLimits,
    ) -> None:
        self._index = index
        self._transport = transport
        self._threads = threads
        self._reader = reader
        self._recovery = recovery
        self._revocations = revocations
        self._limits = limits

    async def join(self, subscription: Subscription, since: Since, connection: Joining) -> bool:
        """Return True once the first frame is sent and the events are sent, or a replay task sends them.

        Return False if the connection ended before the first frame. Raises :class:`DisconnectError` if the user may not
        join, a database error, or TimeoutError.
        """
        # 1. Register.
        await checkpoints.reach_async("accepted, not registered")
        await asyncio.wait_for(self._revocations.ready.wait(), REVOCATIONS_TIMEOUT)
        channel = self._index.add(subscription)

        # 2. Subscribe. Without Redis the join goes on, and the comparison with the database recovers what is missed.
        if channel.acknowledged is None or _has_failed(channel.acknowledged):
            channel.acknowledged = asyncio.create_task(self._subscribe(channel.name))
        acknowledged = await asyncio.shield(channel.acknowledged)
        tracing.mark("subscribed")
        await checkpoints.reach_async("subscribed, not read")
        if _has_ended(subscription):
            return False

        # 3. Authorize and read.
        request = JoinRequest(
            identity=subscription.client.identity,
            notifications=channels.user_of(channel.name) is not None,
            booking_id=subscription.booking_id,
            since=since.seq,
            page_events=self._limits.replay_page_events,
        )
        snapshot = await self._read(request, connection)
        tracing.mark("read")
        await checkpoints.reach_async("read, not live")
        channel.start(
            seq=snapshot.state.seq,
            min_location_seq=snapshot.state.min_location_seq,
            location_order=snapshot.state.location_order,
        )

        # 4. Read again.
        while _is_outdated(snapshot, subscription, channel):
            snapshot = await self._read(request, connection)
        if _has_ended(subscription):
            return False

        # 5. Replay. From here to the end of a short replay nothing else runs on the event loop.
        self._enforce_connection_limit(subscription.client)
        newest = snapshot.state.seq
        events = None if since.malformed else snapshot.events
        missed = newest - since.seq if events is not None and since.seq is not None else 0
        connection.joined(subscription, snapshot, missed)
        subscription.client.admitted = True
        if events is None:
            subscription.send(ResyncRequired(seq=newest))
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

    async def _subscribe(self, channel_name: str) -> bool:
        await checkpoints.reach_async("registered, not subscribed")
        return await self._transport.subscribe(channel_name)

    async def _read(self, request: JoinRequest, connection: Joining) -> Snapshot:
        async with connection.read_slot():
            return await self._reader.read(request)

    def _enforce_connection_limit(self, client: Client) -> None:
        """Disconnect the user's oldest connections above the limit.

        Called after authorization, so that a rejected client evicts nobody.
        """
        others = [
            other
            for other in self._index.of_user(client.identity.user_id)
            if other.admitted and not other.lanes.closing
        ]
        for oldest in others[: max(0, len(others) + 1 - self._limits.connections_per_user)]:
            oldest.disconnect(TOO_MANY_CONNECTIONS)

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
            subscription.client.lanes.close(CloseCode.TOO_SLOW)
        finally:
            subscription.replay = None

    def _go_live(self, subscription: Subscription, channel: Channel, connection: Joining, *, compare: bool) -> None:
        if compare:
            self._recovery.request(channel.name, "recovery")
        self._recovery.started(channel.name)
        connection.live(subscription)


def _has_failed(task: asyncio.Task[bool]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _has_ended(subscription: Subscription) -> bool:
    """Whether the client left, or the hub disconnected it, during the join."""
    return subscription.lanes.closing


def _is_outdated(snapshot: Snapshot, subscription: Subscription, channel: Channel) -> bool:
    misses_events = subscription.misses_events_after(snapshot.state.seq, channel.last_seq)
    return misses_events or not subscription.grant(snapshot.roles)


def _count_resume(since: Since, replayed: int | None) -> None:
    """``replayed`` is None when the log cannot be replayed."""
    if replayed is None:
        metrics.resumes.inc("resync")
    elif since.seq is None:
        metrics.resumes.inc("fresh")
    else:
        metrics.resumes.inc("replayed")
        metrics.resumed_events.observe(replayed)


@dataclass
class Replay:
    """Sends a subscription the events that its client missed: at once if they fit, else page by page.

    A log of any length can be replayed. A slow client with a long log costs no more memory than its send buffer: events
    committed meanwhile stay in the database, and the replay reads on until no event is missing.

    ``last_seq`` is the newest event that was pushed. ``most_waiting`` bounds the bytes that wait for the client.
    """

    subscription: Subscription
    channel: Channel
    last_seq: int
    location_order: int
    min_location_seq: int
    most_waiting: int

    def finish_at_once(self, events: Sequence[Event], newest: int) -> bool:
        """Push ``events`` and go live. Return False if they are not all up to ``newest``, or exceed the buffer."""
        frames = [OutgoingFrame(event.frame) for event in events]
        if self.last_seq + len(events) < newest or sum(frame.size for frame in frames) > self.most_waiting:
            self.subscription.stop_holding()
            return False
        for event, frame in zip(events, frames, strict=True):
            self._push(event, frame)
        self.subscription.go_live(
            seq=newest, location_order=self.location_order, min_location_seq=self.min_location_seq
        )
        return True

    async def finish(self, events: Sequence[Event], read_page: ReadPage) -> bool:
        """Push ``events``, then the following pages, and go live. Return False if the subscription ended before."""
        lanes = self.subscription.lanes
        while True:
            for start in range(0, len(events), PER_WRITE):
                await self._send(events[start : start + PER_WRITE])
            await lanes.taken()
            try:
                state, events = await read_page(self.last_seq)
            except (DatabaseError, TimeoutError) as error:
                logger.warning(
                    "the database is unavailable (%s); the replay of %s waits", type(error).__name__, self.channel.name
                )
                await asyncio.sleep(PAUSE)
                events = ()
                continue
            if state is None or lanes.closing:
                return False
            missing = state.seq > self.last_seq and (not events or events[0].seq != self.last_seq + 1)
            if missing or state.seq < self.last_seq:
                # Events were pruned meanwhile, or the database was restored from a backup.
                self.subscription.send(ResyncRequired(seq=state.seq))
                self.last_seq, events = state.seq, ()
            if events:
                continue
            if (self.channel.last_seq or 0) <= self.last_seq:
                self.subscription.go_live(
                    seq=self.last_seq,
                    location_order=self.location_order,
                    min_location_seq=max(self.min_location_seq, self.channel.min_location_seq),
                )
                return True
            await asyncio.sleep(PAUSE)

    async def _send(self, events: Sequence[Event]) -> None:
        lanes = self.subscription.lanes
        frames = []
        for number, event in enumerate(events, 1):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            frames.append(OutgoingFrame(event.frame))
        for event, frame in zip(events, frames, strict=True):
            if lanes.waiting_bytes + frame.size > self.most_waiting:
                await lanes.taken()
            self._push(event, frame)

    def _push(self, event: Event, frame: OutgoingFrame) -> None:
        self.subscription.lanes.push(frame)
        self.last_seq = event.seq
        if event.clears_location:
            self.min_location_seq = max(self.min_location_seq, event.seq)
        metrics.replayed_age.observe(max(0.0, time.time() - event.committed_at))
