"""Channels of ordinary Channels consumers, beside the hub's own sockets.

Our consumers do not need them; they are here so that the hub is a complete channel layer for whatever else a
project on top of this one adds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

logger = logging.getLogger(__name__)

CAPACITY: Final = 100
"""Messages waiting in one channel; a consumer that lets more gather loses the new ones (Channels: at most once)."""


class LocalChannels:
    def __init__(self) -> None:
        self._queues: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self._groups: dict[str, dict[str, None]] = {}

    def open(self, channel: str) -> None:
        self._queues.setdefault(channel, asyncio.Queue(CAPACITY))

    async def receive(self, channel: str) -> dict[str, Any]:
        self.open(channel)
        return await self._queues[channel].get()

    def close(self, channel: str) -> list[str]:
        """The channel leaves its groups. Returns the names that may have nobody left who listens."""
        self._queues.pop(channel, None)
        left = [group for group, members in self._groups.items() if channel in members]
        for group in left:
            self.discard(group, channel)
        return [channel, *left]

    def add(self, group: str, channel: str) -> None:
        self._groups.setdefault(group, {})[channel] = None

    def discard(self, group: str, channel: str) -> None:
        members = self._groups.get(group)
        if members is not None:
            members.pop(channel, None)
            if not members:
                del self._groups[group]

    def listens_to(self, group: str) -> bool:
        return group in self._groups or group in self._queues

    def deliver_to_group(self, group: str, body: Mapping[str, Any]) -> None:
        """To the members of a group, or to the one channel of that name."""
        for channel in (*self._groups.get(group, ()), *((group,) if group in self._queues else ())):
            queue = self._queues.get(channel)
            if queue is None:
                continue
            if queue.full():
                logger.warning("the consumer of %s does not keep up; a message to %s was dropped", channel, group)
            else:
                queue.put_nowait(dict(body))

    def clear(self) -> list[str]:
        """Returns the names that may have nobody left who listens."""
        left = [*self._queues, *self._groups]
        self._queues.clear()
        self._groups.clear()
        return left
