"""The one Redis subscription of a process, at the moment of a new subscription."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from hunarmitra.config.redis_url import parse_redis_url
from hunarmitra_ws.hub.redis_transport import RedisTransport
from hunarmitra_ws.supervisor import Supervisor
from tests.support.eventually import eventually_async
from tests.support.redis import RedisServer


class HeldConnection:
    """A connection whose first SUBSCRIBE takes long to be written, as one with ten thousand channels does."""

    def __init__(self, connection: Any, reached: asyncio.Event, released: asyncio.Event) -> None:
        self._connection = connection
        self._reached = reached
        self._released = released

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def send_command(self, *arguments: Any, **options: Any) -> None:
        await self._connection.send_command(*arguments, **options)
        if not self._reached.is_set():
            self._reached.set()
            await self._released.wait()


@pytest.fixture
def received() -> list[tuple[str, Mapping[str, Any]]]:
    return []


def transport_of(server: RedisServer, receive: Callable[[str, Mapping[str, Any]], None]) -> RedisTransport:
    return RedisTransport(
        parse_redis_url(server.url),
        receive=receive,
        on_recovered=lambda: None,
        heartbeat_interval=1,
        heartbeat_timeout=3,
    )


async def test_a_channel_that_is_wanted_while_the_subscription_is_made_is_heard(
    redis_server: RedisServer, received: list[tuple[str, Mapping[str, Any]]]
) -> None:
    transport = transport_of(redis_server, lambda channel, body: received.append((channel, body)))
    reached, released = asyncio.Event(), asyncio.Event()
    pool: Any = transport._client.connection_pool
    make = pool.make_connection
    pool.make_connection = lambda: HeldConnection(make(), reached, released)
    supervisor = Supervisor()
    starting = asyncio.create_task(transport.start(supervisor))
    await asyncio.wait_for(reached.wait(), 30)
    subscribing = asyncio.create_task(transport.subscribe("news"))
    await asyncio.sleep(0)
    released.set()
    await starting
    await asyncio.wait_for(subscribing, 30)

    async def heard() -> bool:
        await transport.publish("news", {"type": "hello"})
        return bool(received)

    try:
        await eventually_async(heard, 30, "a message arrives")
        assert received[0] == ("news", {"type": "hello"})
    finally:
        await supervisor.stop()
        await transport.stop()
