"""The channel layer of processes that publish but serve no sockets (gunicorn, the relay, commands)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from channels.layers import BaseChannelLayer

from hunarmitra.outbox.redis_publisher import PublisherUnavailableError, redis_publisher
from hunarmitra.protocol.messages import Message


class PublishingChannelLayer(BaseChannelLayer):
    """``group_send`` only. Receiving is the hub's, in ws processes; asking for it here is a mistake."""

    extensions: ClassVar[list[str]] = ["groups"]

    def publish(self, messages: Sequence[Message]) -> bool:
        """Raises :class:`PublisherUnavailableError`, also when no ``REDIS_URL`` is set."""
        publisher = redis_publisher()
        if publisher is None:
            raise PublisherUnavailableError("no REDIS_URL, so other processes cannot be reached")
        publisher.publish(messages)
        return True

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await sync_to_async(self.publish, thread_sensitive=False)([Message(group, message)])

    async def new_channel(self, prefix: str = "specific") -> str:
        raise NotImplementedError("this process serves no sockets; set SERVICES=ws (or http,ws) to receive")
