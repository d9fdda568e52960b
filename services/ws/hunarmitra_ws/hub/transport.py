"""How messages reach the hub: Redis between processes, or the memory bus within one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgpack
from django.conf import settings

from hunarmitra.outbox.redis_publisher import CHANNEL_PREFIX, redis_channel
from hunarmitra.protocol.messages import Message
from hunarmitra_ws.hub.memory_bus import memory_bus
from hunarmitra_ws.hub.subscriber import RedisSubscriber

logger = logging.getLogger(__name__)

Receive = Callable[[str, Mapping[str, Any]], None]


class Transport(Protocol):
    """Messages to and from groups. ``subscribe`` waits until the group's messages arrive; False: not yet."""

    async def start(self) -> None: ...

    async def subscribe(self, group: str) -> bool: ...

    def unsubscribe(self, group: str) -> None: ...

    async def publish(self, group: str, body: Mapping[str, Any]) -> None: ...

    async def stop(self) -> None: ...


def make_transport(receive: Receive, on_recovered: Callable[[], None]) -> Transport:
    """What ``REDIS_URL`` selects."""
    if settings.ENVIRONMENT.redis_url is None:
        return MemoryTransport(receive)
    return RedisTransport(receive, on_recovered)


class MemoryTransport:
    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    async def start(self) -> None:
        memory_bus.listen(self._receive_all, asyncio.get_running_loop())

    async def subscribe(self, group: str) -> bool:
        return True

    def unsubscribe(self, group: str) -> None:
        pass

    async def publish(self, group: str, body: Mapping[str, Any]) -> None:
        memory_bus.publish([Message(group, body)])

    async def stop(self) -> None:
        memory_bus.forget(self._receive_all)

    def _receive_all(self, batch: Sequence[Message]) -> None:
        for message in batch:
            self._receive(message.channel, message.body)


class RedisTransport:
    """In the wire format of channels_redis' pub/sub layer: msgpack on ``asgi__group__<group>``."""

    def __init__(self, receive: Receive, on_recovered: Callable[[], None]) -> None:
        environment = settings.ENVIRONMENT
        assert environment.redis_url is not None
        self._receive = receive
        self._subscriber = RedisSubscriber(
            environment.redis_url,
            on_message=self._on_message,
            on_recovered=on_recovered,
            heartbeat_interval=environment.hub_heartbeat_interval,
            heartbeat_timeout=environment.hub_heartbeat_timeout,
        )

    async def start(self) -> None:
        await self._subscriber.start()

    async def subscribe(self, group: str) -> bool:
        return await self._subscriber.subscribe(redis_channel(group))

    def unsubscribe(self, group: str) -> None:
        self._subscriber.unsubscribe(redis_channel(group))

    async def publish(self, group: str, body: Mapping[str, Any]) -> None:
        await self._subscriber.publish(redis_channel(group), msgpack.packb(dict(body)))

    async def stop(self) -> None:
        await self._subscriber.stop()

    def _on_message(self, channel: str, data: bytes) -> None:
        try:
            body = msgpack.unpackb(data)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            logger.warning("a message on %s is no msgpack map and was dropped", channel)
            return
        self._receive(channel.removeprefix(CHANNEL_PREFIX), body)
