"""The channel layer of processes that publish but serve no connections (gunicorn, the relay, commands)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from channels.layers import BaseChannelLayer

from hunarmitra.outbox.redis_publisher import PublisherUnavailableError, redis_publisher
from hunarmitra.protocol.messages import Message


class PublishingChannelLayer(BaseChannelLayer):
    """``group_send`` only. The hub of a ws process receives; asking for it here raises NotImplementedError."""

    extensions: ClassVar[list[str]] = ["groups"]

    def publish(self, messages: Sequence[Message]) -> Sequence[int]:
        """Publish to Redis; return for each message how many processes are subscribed to its channel.

        Raises :class:`PublisherUnavailableError`, also without ``REDIS_URL``."""
        publisher = redis_publisher()
        if publisher is None:
            raise PublisherUnavailableError("no REDIS_URL, so other processes cannot be reached")
        return publisher.publish(messages)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await sync_to_async(self.publish, thread_sensitive=False)([Message(group, message)])

    async def new_channel(self, prefix: str = "specific") -> str:
        raise NotImplementedError("this process serves no connections; set SERVICES=ws (or http,ws) to receive")
