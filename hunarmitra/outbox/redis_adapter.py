"""Adapter for redis-py: its connections, with their commands and replies, which it exports, but does not document.

redis-py's ``PubSub`` subscribes to names one call at a time, and reads the next reply only when it is asked. The ws
processes' transport sends and reads at the same time, and needs each acknowledgement. And redis-py's pipeline takes
twice the time of its connection for one message, which is what most locations are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import redis
import redis.asyncio

from hunarmitra.common.private_names import Library, names_of

_CONNECTION: Final = "redis.asyncio.connection:AbstractConnection"

LIBRARY: Final = Library(
    "redis",
    "8.1.0",
    (
        *names_of("redis.asyncio.client:Redis", {"connection_pool": "makes connections, also to a Sentinel's primary"}),
        *names_of(
            "redis.asyncio.connection:ConnectionPool",
            {"make_connection()": "a connection that the pool does not give to other callers"},
        ),
        *names_of(
            _CONNECTION,
            {
                "connect()": "connect, authenticate and choose the protocol",
                "disconnect(nowait, error, failure_count, health_check_failed)": "close the connection",
                "send_command(args, kwargs)": "write one command, without waiting for its reply",
                "read_response(disable_decoding, timeout, disconnect_on_error, push_request)": "the next reply",
            },
        ),
        *names_of("redis.client:Redis", {"connection_pool": "the connections of a blocking client"}),
        *names_of(
            "redis.connection:AbstractConnection",
            {
                "disconnect(args, kwargs)": "close the connection",
                "pack_commands(commands)": "the bytes of several commands",
                "send_packed_command(command, check_health)": "write them",
                "read_response(disable_decoding, timeout, disconnect_on_error, push_request)": "the next reply",
            },
        ),
    ),
)


def execute(client: redis.Redis, commands: Sequence[tuple[str | bytes, ...]]) -> list[Any]:
    """Send commands to Redis in one write, and return their replies. Raises RedisError or OSError.

    A pool's ``get_connection`` and ``release`` are documented
    (https://redis.readthedocs.io/en/stable/connections.html).
    """
    pool: Any = client.connection_pool
    connection = pool.get_connection()
    try:
        connection.send_packed_command(connection.pack_commands(commands))
        return [connection.read_response() for _ in commands]
    except BaseException:
        connection.disconnect()  # a reply that comes later would be taken for the next command's
        raise
    finally:
        pool.release(connection)


class SubscriberConnection:
    """One connection to Redis that no other caller uses. Its methods raise RedisError, OSError or TimeoutError."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._connection: Any = client.connection_pool.make_connection()

    async def connect(self) -> None:
        await self._connection.connect()

    async def send(self, command: str, *arguments: str) -> None:
        """Write a command without waiting for its reply."""
        await self._connection.send_command(command, *arguments)

    async def next_reply(self) -> Any:
        """Wait for the next reply or message, without a time limit; close the connection if that fails."""
        return await self._connection.read_response(disconnect_on_error=True)

    async def close(self) -> None:
        await self._connection.disconnect()

    async def abort(self) -> None:
        """Close without waiting for the other side; a task that waits for a reply then gets an error."""
        await self._connection.disconnect(nowait=True)
