"""The hub as the project's channel layer, so that ``group_send`` works from anywhere."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, ClassVar

from channels.layers import BaseChannelLayer

from hunarmitra.outbox.redis_publisher import redis_publisher
from hunarmitra.protocol.messages import Message
from hunarmitra_ws.hub.hub import running_hub
from hunarmitra_ws.hub.memory_bus import memory_bus


class HubChannelLayer(BaseChannelLayer):
    """What every process that serves sockets has for a layer; ``REDIS_URL`` decides how messages travel."""

    extensions: ClassVar[list[str]] = ["groups", "flush"]

    def publish(self, messages: Sequence[Message]) -> bool:
        """From synchronous code, in any thread. Raises PublisherUnavailableError when Redis does not take it."""
        publisher = redis_publisher()
        if publisher is None:
            memory_bus.publish(messages)
        else:
            publisher.publish(messages)
        return True

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Raises RedisError, OSError or TimeoutError when Redis does not take it."""
        await (await running_hub()).transport.publish(group, message)

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        await self.group_send(channel, message)

    async def new_channel(self, prefix: str = "specific") -> str:
        channel = f"{prefix}.{uuid.uuid4().hex}!{uuid.uuid4().hex}"
        hub = await running_hub()
        hub.channels.open(channel)
        await hub.transport.subscribe(channel)
        return channel

    async def receive(self, channel: str) -> dict[str, Any]:
        hub = await running_hub()
        if not hub.listens_to(channel):
            # A channel with a name of its own (`runworker`), which nobody got from new_channel.
            hub.channels.open(channel)
            await hub.transport.subscribe(channel)
        try:
            return await hub.channels.receive(channel)
        except BaseException:
            # Cancelled: the consumer is gone, and nobody else tells (channels_redis leaks such channels).
            hub.unsubscribe_unheard(*hub.channels.close(channel))
            raise

    async def group_add(self, group: str, channel: str) -> None:
        hub = await running_hub()
        hub.channels.add(group, channel)
        await hub.transport.subscribe(group)

    async def group_discard(self, group: str, channel: str) -> None:
        hub = await running_hub()
        hub.channels.discard(group, channel)
        hub.unsubscribe_unheard(group)

    async def flush(self) -> None:
        hub = await running_hub()
        hub.unsubscribe_unheard(*hub.channels.clear())
