"""The one Redis subscription of a process, kept alive and honest.

A subscriber can be deaf without noticing: a half-open TCP connection, or a Redis that restarted empty behind a
proxy. So it publishes a heartbeat to itself; when that does not come back, the connection is made anew. After
every interruption it says so, because messages may have passed meanwhile and only the database knows them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable
from typing import Any, Final, Protocol

import redis.asyncio
from redis.exceptions import RedisError

from hunarmitra.config.redis_url import RedisTarget
from hunarmitra.outbox.redis_connections import asyncio_client
from hunarmitra_ws.metrics import metrics

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT: Final = 1.0
LONGEST_PAUSE: Final = 0.5
"""Seconds between two attempts to connect; one process tries, so there is no herd to spread."""

ACKNOWLEDGEMENT_TIMEOUT: Final = 2.0
HEARTBEAT_CHANNEL: Final = "hunarmitra__heartbeat__"


class Subscriber(Protocol):
    """Where a hub's messages come from."""

    async def start(self) -> None: ...

    async def subscribe(self, channel: str) -> bool:
        """Wait until messages on ``channel`` arrive. False when that could not be seen (Redis is away):
        the subscription follows, and ``on_recovered`` tells when."""
        ...

    def unsubscribe(self, channel: str) -> None: ...

    async def publish(self, channel: str, data: bytes) -> None: ...

    async def stop(self) -> None: ...


class RedisSubscriber:
    """Calls ``on_message(channel, data)`` for each message and ``on_recovered()`` after each interruption."""

    def __init__(
        self,
        target: RedisTarget,
        *,
        on_message: Callable[[str, bytes], None],
        on_recovered: Callable[[], None],
        heartbeat_interval: float,
        heartbeat_timeout: float,
    ) -> None:
        self._client: redis.asyncio.Redis = asyncio_client(target, connect_timeout=CONNECT_TIMEOUT)
        self._on_message = on_message
        self._on_recovered = on_recovered
        self._heartbeat_interval = heartbeat_interval
        self._heartbeat_timeout = heartbeat_timeout
        self._heartbeat_channel = HEARTBEAT_CHANNEL + uuid.uuid4().hex
        self._channels: dict[str, None] = {}
        self._waiting: dict[str, asyncio.Future[bool]] = {}
        self._outstanding: dict[str, int] = {}
        self._commands: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._connection: Any = None
        self._attempted = asyncio.Event()
        self._heard_at = time.monotonic()
        self._was_connected = False
        self._heard_time = time.time()
        self._lag = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Returns when the first attempt to connect has succeeded or failed."""
        metrics.subscriber_connected.read = lambda: self._connection is not None
        metrics.subscriber_heard.read = lambda: self._heard_time
        metrics.subscriber_lag.read = lambda: self._lag
        self._tasks = [asyncio.create_task(self._keep_connected()), asyncio.create_task(self._beat())]
        await self._attempted.wait()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def subscribe(self, channel: str) -> bool:
        self._channels[channel] = None
        if self._connection is None:
            return False
        waiting = self._waiting.get(channel)
        if waiting is None:
            waiting = self._waiting[channel] = asyncio.get_running_loop().create_future()
        self._outstanding[channel] = self._outstanding.get(channel, 0) + 1
        self._commands.put_nowait(("SUBSCRIBE", channel))
        try:
            return await asyncio.wait_for(asyncio.shield(waiting), ACKNOWLEDGEMENT_TIMEOUT)
        except TimeoutError:
            return False

    def unsubscribe(self, channel: str) -> None:
        if self._channels.pop(channel, False) is None and self._connection is not None:
            self._commands.put_nowait(("UNSUBSCRIBE", channel))

    async def publish(self, channel: str, data: bytes) -> None:
        """Raises RedisError, OSError or TimeoutError."""
        await asyncio.wait_for(self._client.publish(channel, data), CONNECT_TIMEOUT)

    async def _keep_connected(self) -> None:
        pause = 0.05
        while True:
            try:
                connection = self._client.connection_pool.make_connection()
                await asyncio.wait_for(connection.connect(), 2 * CONNECT_TIMEOUT)
            except (RedisError, OSError, TimeoutError) as error:
                logger.warning("cannot subscribe at Redis: %s; trying again", type(error).__name__)
                self._attempted.set()
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = 0.05
            try:
                await self._listen(connection)
            except (RedisError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                logger.warning("lost the subscription at Redis: %s; making it anew", type(error).__name__)
            finally:
                self._disconnected()
                with contextlib.suppress(RedisError, OSError, TimeoutError):
                    await connection.disconnect()

    async def _listen(self, connection: Any) -> None:
        wanted = [self._heartbeat_channel, *self._channels]
        unacknowledged = set(wanted)
        self._heard_at = time.monotonic()
        self._commands = asyncio.Queue()
        self._outstanding = dict.fromkeys(wanted, 1)
        # From here on new channels are queued: writing thousands of names takes long, and they are not among these.
        self._connection = connection
        await connection.send_command("SUBSCRIBE", *wanted)
        self._attempted.set()
        sender = asyncio.create_task(self._send_commands(connection, self._commands))
        try:
            while True:
                reply = await connection.read_response(disconnect_on_error=True)
                kind = _text(reply[0])
                if kind == "message":
                    self._received(_text(reply[1]), reply[2])
                elif kind == "subscribe":
                    channel = _text(reply[1])
                    self._acknowledged(channel)
                    if unacknowledged:
                        unacknowledged.discard(channel)
                        if not unacknowledged:
                            logger.info("subscribed at Redis to %d channels", len(wanted))
                            metrics.subscriber_reconnects.inc(amount=self._was_connected)
                            self._was_connected = True
                            self._on_recovered()
        finally:
            sender.cancel()

    async def _send_commands(self, connection: Any, commands: asyncio.Queue[tuple[str, str]]) -> None:
        """Commands in their order, those that follow each other in one packet each kind."""
        while True:
            command, channel = await commands.get()
            channels = [channel]
            batches = [(command, channels)]
            while not commands.empty():
                following, channel = commands.get_nowait()
                if following != batches[-1][0]:
                    batches.append((following, []))
                batches[-1][1].append(channel)
            try:
                for name, names in batches:
                    await connection.send_command(name, *names)
            except (RedisError, OSError, TimeoutError):
                # The reading side fails as well and starts over with every channel that is still wanted.
                await connection.disconnect(nowait=True)
                return

    def _received(self, channel: str, data: bytes) -> None:
        if channel == self._heartbeat_channel:
            self._heard_at, self._heard_time = time.monotonic(), time.time()
            self._lag = self._heard_at - float(data)
        else:
            self._on_message(channel, data)

    def _acknowledged(self, channel: str) -> None:
        # After SUBSCRIBE, UNSUBSCRIBE, SUBSCRIBE the first acknowledgement says nothing: only the last one does.
        outstanding = self._outstanding.get(channel, 1) - 1
        if outstanding:
            self._outstanding[channel] = outstanding
            return
        self._outstanding.pop(channel, None)
        waiting = self._waiting.pop(channel, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(True)

    def _disconnected(self) -> None:
        self._connection = None
        self._outstanding.clear()
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_result(False)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_interval)
            connection = self._connection
            if connection is None:
                continue
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self.publish(self._heartbeat_channel, b"%f" % time.monotonic())
            if time.monotonic() - self._heard_at > self._heartbeat_timeout and connection is self._connection:
                logger.warning("the own heartbeat does not come back from Redis; making the subscription anew")
                await connection.disconnect(nowait=True)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
