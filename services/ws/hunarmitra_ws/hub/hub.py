"""The hub: everything that one process receives, handed out to its sockets.

Redis (or the memory bus) wakes it; the database is the truth. Three things make it read what it may have
missed, all through :class:`CatchUp`: a gap in a group's ``seq``, a subscription that was interrupted, and the
clock, because a publish that a dying primary accepted leaves no other trace.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings

from hunarmitra.common import checkpoints
from hunarmitra.common.clock import utc_now
from hunarmitra.outbox import relay
from hunarmitra.protocol import channels, messages
from hunarmitra.telemetry import tracing
from hunarmitra_ws.hub.catch_up import CatchUp
from hunarmitra_ws.hub.channels import LocalChannels
from hunarmitra_ws.hub.database_threads import DatabaseThreads
from hunarmitra_ws.hub.groups import Group
from hunarmitra_ws.hub.joining import JoinReader
from hunarmitra_ws.hub.refusals import ACCOUNT_GONE, BOOKING_GONE, TOKEN_EXPIRED, TOO_MANY_SOCKETS
from hunarmitra_ws.hub.revoking import Revoking
from hunarmitra_ws.hub.sockets import Socket, SocketIndex
from hunarmitra_ws.hub.transport import Transport, make_transport
from hunarmitra_ws.metrics import metrics

logger = logging.getLogger(__name__)

EXPIRY_INTERVAL: Final = 1.0
DELAY_INTERVAL: Final = 0.1
"""Seconds between two samples of the event loop's delay."""
READY_TIMEOUT: Final = 5.0


@dataclass(frozen=True)
class HubLimits:
    """Intervals in seconds; ``expiry_leeway`` is how long a socket outlives its token."""

    sockets_per_user: int
    comparison_interval: float
    revocation_interval: float
    expiry_leeway: float
    database_threads: int
    relays: bool


class Hub:
    """One for each event loop. All methods are called on that loop."""

    def __init__(self, limits: HubLimits) -> None:
        self._limits = limits
        self._groups: dict[str, Group] = {}
        self._subscriptions: dict[str, asyncio.Task[bool]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._background = DatabaseThreads("hub", 1)
        self.threads = DatabaseThreads("sockets", limits.database_threads)
        self.joins = JoinReader(self.threads, limits.database_threads)
        self.index = SocketIndex()
        self.channels = LocalChannels()
        self.catch_up = CatchUp(
            self._groups, self._background, interval=limits.comparison_interval, on_gone=self._on_gone
        )
        self.revoking = Revoking(self.index, self._background, interval=limits.revocation_interval)
        self._relay = _RelayThread() if limits.relays else None
        self.transport: Transport = make_transport(self.receive, self._on_recovered)

    async def start(self) -> None:
        tracing.start()
        metrics.compared_at = time.time()
        metrics.comparison_success.read = lambda: metrics.compared_at
        metrics.groups.read = lambda: len(self._groups)
        metrics.send_buffer.read = self._waiting_bytes
        await self.transport.start()
        if self._relay is not None:
            self._relay.start()
        self._spawn(self.catch_up.run())
        self._spawn(self.revoking.run())
        self._spawn(self._close_expired())
        self._spawn(_sample_loop_delay())
        self._subscriptions[channels.CONTROL] = asyncio.create_task(self.transport.subscribe(channels.CONTROL))

    async def stop(self) -> None:
        for task in [*self._tasks, *self._subscriptions.values()]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._subscriptions.values(), return_exceptions=True)
        await self.transport.stop()
        if self._relay is not None:
            await self._relay.stop()
        self.threads.stop()
        self._background.stop()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(coroutine))

    # What arrives

    def receive(self, group_name: str, body: Mapping[str, Any]) -> None:
        """A message for a group, in whatever order and however often."""
        self.channels.deliver_to_group(group_name, body)
        kind = body.get("type")
        group = self._groups.get(group_name)
        try:
            if kind == messages.STATUS and group is not None:
                arrival = metrics.latency.arrived(body, "status")
                if not group.receive(body["seq"], body["frame"], body.get("clears_location", False), arrival):
                    self.catch_up.request(group_name, "seq")
            elif kind == messages.LOCATION and group is not None:
                arrival = metrics.latency.arrived(body, "location")
                group.receive_location(body["seq"], body["order"], body["frame"], arrival)
            elif kind == messages.REVOCATION and group_name == channels.CONTROL:
                self.revoking.announced(body)
        except (AttributeError, KeyError, TypeError, ValueError):
            logger.exception("a message to %s is malformed and was dropped", group_name)

    def _on_recovered(self) -> None:
        self.catch_up.request_all("recovery")
        self.revoking.check()

    # Sockets that come and go

    async def enter(self, socket: Socket) -> bool:
        """Register the socket and wait until its group's messages arrive, before anything is read for it.

        False when they do not arrive yet, because Redis is away.
        Raises TimeoutError when the database could not be asked for revocations since the process started.
        """
        await asyncio.wait_for(self.revoking.ready.wait(), READY_TIMEOUT)
        self.index.add(socket)
        name = socket.group_name
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = Group(name)
            self._subscriptions[name] = asyncio.create_task(self._subscribe(name))
        socket.group_name = group.name  # one string for all of them
        group.sockets[socket] = None
        return await asyncio.shield(self._subscriptions[name])

    async def _subscribe(self, name: str) -> bool:
        await checkpoints.reach_async("registered, not subscribed")
        return await self.transport.subscribe(name)

    def make_room(self, socket: Socket) -> None:
        """It may join, so the user's oldest sockets give way. Whoever is turned away takes nobody's place."""
        others = [other for other in self.index.of_user(socket.user_id) if other.admitted and not other.lanes.closing]
        if not socket.lanes.closing:
            for oldest in others[: max(0, len(others) + 1 - self._limits.sockets_per_user)]:
                oldest.refuse(TOO_MANY_SOCKETS)

    def leave(self, socket: Socket) -> None:
        self.index.remove(socket)
        group = self._groups.get(socket.group_name)
        if group is None:
            return
        group.sockets.pop(socket, None)
        if not group.sockets:
            del self._groups[socket.group_name]
            self._subscriptions.pop(socket.group_name).cancel()
            self.unsubscribe_unheard(socket.group_name)

    def listens_to(self, group_name: str) -> bool:
        return group_name in self._groups or self.channels.listens_to(group_name)

    def unsubscribe_unheard(self, *names: str) -> None:
        """Give up the subscriptions of those that nobody in this process listens to any more."""
        for name in names:
            if not self.listens_to(name):
                self.transport.unsubscribe(name)

    def _waiting_bytes(self) -> int:
        return sum(
            socket.lanes.waiting_bytes for group in list(self._groups.values()) for socket in list(group.sockets)
        )

    def group_of(self, socket: Socket) -> Group:
        return self._groups[socket.group_name]

    def _on_gone(self, name: str) -> None:
        """The booking or the user was deleted."""
        group = self._groups.get(name)
        for socket in list(group.sockets) if group else ():
            socket.refuse(ACCOUNT_GONE if socket.booking_id is None else BOOKING_GONE)

    async def _close_expired(self) -> None:
        while True:
            await asyncio.sleep(EXPIRY_INTERVAL)
            moment = utc_now().timestamp() - self._limits.expiry_leeway
            for socket in self.index.pop_expired(moment):
                socket.refuse(TOKEN_EXPIRED)


async def _sample_loop_delay() -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + DELAY_INTERVAL
        await asyncio.sleep(DELAY_INTERVAL)
        metrics.loop_delay.observe(max(0.0, loop.time() - due))


_hubs: dict[asyncio.AbstractEventLoop, asyncio.Task[Hub]] = {}


async def running_hub() -> Hub:
    """This event loop's hub, started by whoever needs it first."""
    loop = asyncio.get_running_loop()
    starting = _hubs.get(loop)
    if starting is None or (starting.done() and starting.exception() is not None):
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
            sockets_per_user=environment.ws_sockets_per_user,
            comparison_interval=environment.comparison_interval,
            revocation_interval=environment.hub_revocation_interval,
            expiry_leeway=environment.jwt_leeway,
            database_threads=environment.ws_database_threads,
            relays=environment.relays_in_process,
        )
    )
    await hub.start()
    return hub


class _RelayThread:
    """The outbox relay inside this process, for the embedded default, which has no other process to run it."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=relay.run, args=[self._stop], name="relay", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        self._stop.set()
        await asyncio.to_thread(self._thread.join)
