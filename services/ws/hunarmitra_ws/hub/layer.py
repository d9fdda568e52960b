"""The hub as the project's channel layer, so that ``group_send`` works from anywhere."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, ClassVar

from channels.layers import BaseChannelLayer

from hunarmitra.outbox.redis_publisher import redis_publisher
from hunarmitra.protocol.messages import Message
from hunarmitra_ws.hub.consumer_channels import ConsumerChannels
from hunarmitra_ws.hub.hub import running_hub
from hunarmitra_ws.hub.memory_bus import memory_bus


class HubChannelLayer(BaseChannelLayer):
    """The channel layer of every process that serves WebSockets; ``REDIS_URL`` selects how messages travel."""

    extensions: ClassVar[list[str]] = ["groups", "flush"]

    def publish(self, messages: Sequence[Message]) -> Sequence[int] | None:
        """Publish from synchronous code, in any thread; return how many processes listen, None without Redis.

        Raises PublisherUnavailableError if Redis does not take the messages.
        """
        publisher = redis_publisher()
        if publisher is None:
            memory_bus.publish(messages)
            return None
        return publisher.publish(messages)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Raises RedisError, OSError or TimeoutError if Redis does not take the message."""
        await (await _consumers()).publish(group, message)

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        await self.group_send(channel, message)

    async def new_channel(self, prefix: str = "specific") -> str:
        channel = f"{prefix}.{uuid.uuid4().hex}!{uuid.uuid4().hex}"
        await (await _consumers()).open(channel)
        return channel

    async def receive(self, channel: str) -> dict[str, Any]:
        return await (await _consumers()).receive(channel)

    async def group_add(self, group: str, channel: str) -> None:
        await (await _consumers()).add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        (await _consumers()).discard(group, channel)

    async def flush(self) -> None:
        (await _consumers()).clear()


async def _consumers() -> ConsumerChannels:
    return (await running_hub()).consumers
