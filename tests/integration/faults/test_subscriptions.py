"""The one Redis subscription of a process, at the moment of a new subscription."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from redis.exceptions import RedisError

from hunarmitra.config.redis_url import parse_redis_url
from hunarmitra.outbox.redis_publisher import redis_channel
from hunarmitra_ws.hub.redis_transport import FIRST_PAUSE, LONGEST_PAUSE, RedisTransport
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


def transport_of(url: str, receive: Callable[[str, Mapping[str, Any]], None]) -> RedisTransport:
    return RedisTransport(
        parse_redis_url(url),
        receive=receive,
        on_recovered=lambda: None,
        on_unsigned=lambda channel: None,
        heartbeat_interval=1,
        heartbeat_timeout=3,
    )


async def test_a_channel_that_is_wanted_while_the_subscription_is_made_is_heard(
    redis_server: RedisServer, received: list[tuple[str, Mapping[str, Any]]]
) -> None:
    transport = transport_of(redis_server.url, lambda channel, body: received.append((channel, body)))
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


class Listening:
    """A started transport that is subscribed to the channel `news`."""

    def __init__(self, transport: RedisTransport, received: list[tuple[str, Mapping[str, Any]]]) -> None:
        self.transport = transport
        self.supervisor = Supervisor()
        self._received = received

    async def hears(self) -> None:
        """Until a message that is published now, or a later one, arrives."""
        self._received.clear()

        async def heard() -> bool:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self.transport.publish("news", {"type": "hello"})
            return ("news", {"type": "hello"}) in self._received

        await eventually_async(heard, 60, "a message arrives")


@pytest.fixture
async def listening(
    redis_server: RedisServer, received: list[tuple[str, Mapping[str, Any]]]
) -> AsyncIterator[Listening]:
    transport = transport_of(redis_server.url, lambda channel, body: received.append((channel, body)))
    scene = Listening(transport, received)
    await transport.start(scene.supervisor)
    await transport.subscribe("news")
    await scene.hears()
    yield scene
    await scene.supervisor.stop()
    await transport.stop()


TASKS = ["redis subscription", "redis heartbeat", "redis commands", "redis replies"]


def tasks_of_transport() -> dict[str, asyncio.Task[Any]]:
    return {task.get_name(): task for task in asyncio.all_tasks() if task.get_name().startswith("redis")}


async def test_every_task_of_the_transport_is_known(listening: Listening) -> None:
    assert sorted(tasks_of_transport()) == sorted(TASKS)


@pytest.mark.parametrize("name", TASKS)
async def test_messages_arrive_after_any_task_was_killed(listening: Listening, name: str) -> None:
    killed = tasks_of_transport()[name]
    killed.cancel()

    def runs_again() -> bool:
        return name in tasks_of_transport() and tasks_of_transport()[name] is not killed

    await eventually_async(runs_again, 60, "the task runs again")
    await listening.hears()
    await listening.transport.subscribe("other news")


@pytest.mark.parametrize("data", [b"", b"now", b"nan", b"inf", bytes(range(256))])
async def test_a_heartbeat_that_is_not_a_number_ends_nothing(listening: Listening, data: bytes) -> None:
    before = tasks_of_transport()
    await listening.transport._publish(listening.transport._heartbeat_channel, data)
    await listening.hears()
    assert tasks_of_transport() == before


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x81", b"\x93", b"\xa3\xff\xff\xff", b"\x05", bytes(range(256))])
async def test_bytes_that_are_not_a_message_end_nothing(listening: Listening, data: bytes) -> None:
    before = tasks_of_transport()
    await listening.transport._publish(redis_channel("news"), data)
    await listening.hears()
    assert tasks_of_transport() == before


async def test_a_redis_that_refuses_to_subscribe_is_asked_with_pauses_until_it_permits(
    redis_server: RedisServer, received: list[tuple[str, Mapping[str, Any]]], caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "ws", "on", "nopass", "~*", "+@all", "resetchannels")
        url = redis_server.url.replace("redis://", "redis://ws:any@")
        transport = transport_of(url, lambda channel, body: received.append((channel, body)))
        scene = Listening(transport, received)
        try:
            await transport.start(scene.supervisor)
            await transport.subscribe("news")
            await eventually_async(lambda: transport._pause == LONGEST_PAUSE, 60, "the pauses grow")
            assert "correct the user's ACL" in caplog.text
            admin.execute_command("ACL", "SETUSER", "ws", "allchannels")
            await scene.hears()
            assert transport._pause == FIRST_PAUSE
        finally:
            await scene.supervisor.stop()
            await transport.stop()
            admin.execute_command("ACL", "DELUSER", "ws")
