"""How messages reach the hub: through Redis between processes, or through the memory bus within one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from django.conf import settings

from hunarmitra.protocol.messages import Message
from hunarmitra_ws.hub.memory_bus import memory_bus
from hunarmitra_ws.hub.redis_transport import RedisTransport
from hunarmitra_ws.supervisor import Supervisor

Receive = Callable[[str, Mapping[str, Any]], None]


class Transport(Protocol):
    """Calls ``receive(channel_name, body)`` for each message of the subscribed channels.

    Calls ``on_unsigned(channel_name)`` instead for a message that no process of this installation has signed.
    """

    async def start(self, supervisor: Supervisor) -> None: ...

    async def subscribe(self, channel_name: str) -> bool:
        """Wait until messages of the channel arrive.

        Return False if that could not be confirmed because Redis is away: the subscription follows, and then
        ``on_recovered`` is called.
        """
        ...

    def unsubscribe(self, channel_name: str) -> None: ...

    async def publish(self, channel_name: str, body: Mapping[str, Any]) -> None:
        """Raises RedisError, OSError or TimeoutError if Redis does not take the message."""
        ...

    async def stop(self) -> None: ...


def make_transport(receive: Receive, on_recovered: Callable[[], None], on_unsigned: Callable[[str], None]) -> Transport:
    """Make the transport that ``REDIS_URL`` selects."""
    environment = settings.ENVIRONMENT
    if environment.redis_url is None:
        return MemoryTransport(receive)
    return RedisTransport(
        environment.redis_url,
        receive=receive,
        on_recovered=on_recovered,
        on_unsigned=on_unsigned,
        heartbeat_interval=environment.hub_heartbeat_interval,
        heartbeat_timeout=environment.hub_heartbeat_timeout,
    )


class MemoryTransport:
    """Delivers within the process, where no Redis is configured."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    async def start(self, supervisor: Supervisor) -> None:
        memory_bus.listen(self._receive_all, asyncio.get_running_loop())

    async def subscribe(self, channel_name: str) -> bool:
        return True

    def unsubscribe(self, channel_name: str) -> None:
        pass

    async def publish(self, channel_name: str, body: Mapping[str, Any]) -> None:
        memory_bus.publish([Message(channel_name, body)])

    async def stop(self) -> None:
        memory_bus.forget(self._receive_all)

    def _receive_all(self, batch: Sequence[Message]) -> None:
        for message in batch:
            self._receive(message.channel, message.body)
