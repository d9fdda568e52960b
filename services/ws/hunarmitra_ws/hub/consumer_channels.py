"""Channels and groups of ordinary Channels consumers, beside the hub's own subscriptions.

This project's connections do not use them. They make the hub a complete channel layer, for what a project built on
this one adds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from hunarmitra_ws.hub.transport import Transport

logger = logging.getLogger(__name__)

CAPACITY: Final = 100
"""Messages waiting in one channel; a consumer that lets more gather loses the new ones (Channels: at most once)."""


class ConsumerChannels:
    """``is_watched`` tells whether the hub itself needs the subscription to a name."""

    def __init__(self, transport: Transport, is_watched: Callable[[str], bool]) -> None:
        self._transport = transport
        self._is_watched = is_watched
        self._queues: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self._groups: dict[str, dict[str, None]] = {}

    # What the channel layer does

    async def publish(self, name: str, body: Mapping[str, Any]) -> None:
        """Raises RedisError, OSError or TimeoutError if Redis does not take the message."""
        await self._transport.publish(name, body)

    async def open(self, channel: str) -> None:
        self._queues.setdefault(channel, asyncio.Queue(CAPACITY))
        await self._transport.subscribe(channel)

    async def receive(self, channel: str) -> dict[str, Any]:
        """Return the channel's next message; opens a channel that :meth:`open` did not (``runworker``)."""
        if channel not in self._queues:
            await self.open(channel)
        try:
            return await self._queues[channel].get()
        except BaseException:
            # Cancelled: the consumer is gone, and nobody else tells (channels_redis leaks such channels).
            self._close(channel)
            raise

    async def add(self, group: str, channel: str) -> None:
        self._groups.setdefault(group, {})[channel] = None
        await self._transport.subscribe(group)

    def discard(self, group: str, channel: str) -> None:
        members = self._groups.get(group)
        if members is not None:
            members.pop(channel, None)
            if not members:
                del self._groups[group]
        self._unsubscribe_unused(group)

    def clear(self) -> None:
        names = [*self._queues, *self._groups]
        self._queues.clear()
        self._groups.clear()
        self._unsubscribe_unused(*names)

    # What the hub does

    def has(self, name: str) -> bool:
        """Whether a consumer listens to this group or channel."""
        return name in self._groups or name in self._queues

    def deliver(self, name: str, body: Mapping[str, Any]) -> None:
        """Put a message into the queues of a group's members, or of the one channel of that name."""
        for channel in (*self._groups.get(name, ()), *((name,) if name in self._queues else ())):
            queue = self._queues.get(channel)
            if queue is None:
                continue
            if queue.full():
                logger.warning("the consumer of %s is too slow; a message to %s was dropped", channel, name)
            else:
                queue.put_nowait(dict(body))

    def _close(self, channel: str) -> None:
        self._queues.pop(channel, None)
        for group in [group for group, members in self._groups.items() if channel in members]:
            self.discard(group, channel)
        self._unsubscribe_unused(channel)

    def _unsubscribe_unused(self, *names: str) -> None:
        for name in names:
            if not self.has(name) and not self._is_watched(name):
                self._transport.unsubscribe(name)
