"""The one Redis subscription of a process: kept connected, and checked by a heartbeat.

A subscription can stop delivering without an error: a half-open TCP connection, or a Redis that restarted empty behind
a proxy. So the transport publishes a heartbeat to itself, and reconnects when it does not arrive. After each
interruption it calls ``on_recovered``: messages may have been lost, and only the database has those events.

The wire format is that of channels_redis' pub/sub layer, signed (:mod:`hunarmitra.outbox.signing`): msgpack on the
Redis channel ``asgi__group__<channel>``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

import redis.asyncio
from redis.exceptions import RedisError

from hunarmitra.config.redis_url import RedisTarget
from hunarmitra.outbox.redis_adapter import SubscriberConnection
from hunarmitra.outbox.redis_connections import SUBSCRIBER_PERMISSIONS, asyncio_client, refused
from hunarmitra.outbox.redis_publisher import CHANNEL_PREFIX, redis_channel
from hunarmitra.outbox.signing import UnsignedMessageError, message_signer
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.supervisor import Supervisor

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT: Final = 1.0
FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 0.5
"""Seconds between two attempts to connect; each process tries alone, so there is no herd to spread."""

LONGEST_REFUSED_PAUSE: Final = 5.0
"""The same while Redis answers, but refuses: somebody must correct the user's rights or its password first."""

ACKNOWLEDGEMENT_TIMEOUT: Final = 2.0
HEARTBEAT_CHANNEL: Final = "hunarmitra__heartbeat__"
MOST_BEATS: Final = 60
"""Heartbeats that may be on their way; an older one counts as lost."""


class RedisTransport:
    """Calls ``receive(channel_name, body)`` for each message, and ``on_recovered()`` after each interruption.

    Calls ``on_unsigned(channel_name)`` instead for a message that no process of this installation has signed.
    """

    def __init__(
        self,
        target: RedisTarget,
        *,
        receive: Callable[[str, Mapping[str, Any]], None],
        on_recovered: Callable[[], None],
        on_unsigned: Callable[[str], None],
        heartbeat_interval: float,
        heartbeat_timeout: float,
    ) -> None:
        self._client: redis.asyncio.Redis = asyncio_client(target, connect_timeout=CONNECT_TIMEOUT)
        self._receive = receive
        self._on_recovered = on_recovered
        self._on_unsigned = on_unsigned
        self._signer = message_signer()
        self._heartbeat_interval = heartbeat_interval
        self._heartbeat_timeout = heartbeat_timeout
        self._heartbeat_channel = HEARTBEAT_CHANNEL + uuid.uuid4().hex
        self._wanted: dict[str, None] = {}  # by the names of our channels, which are in memory already
        self._waiting: dict[str, asyncio.Future[bool]] = {}
        self._outstanding: dict[str, int] = {}
        self._commands: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._connection: SubscriberConnection | None = None
        self._attempted = asyncio.Event()
        self._pause = FIRST_PAUSE
        self._refusals: set[str] = set()
        self._beats: dict[bytes, float] = {}
        self._heard_at = time.monotonic()
        self._was_connected = False
        self._heard_time = time.time()
        self._lag = 0.0

    async def start(self, supervisor: Supervisor) -> None:
        """Start the background tasks; return when the first attempt to connect has succeeded or failed."""
        metrics.subscriber_connected.read = lambda: self._connection is not None
        metrics.subscriber_heard.read = lambda: self._heard_time
        metrics.subscriber_lag.read = lambda: self._lag
        supervisor.start("redis subscription", self._keep_connected)
        supervisor.start("redis heartbeat", self._beat)
        await self._attempted.wait()

    async def stop(self) -> None:
        await self._client.aclose()

    async def subscribe(self, channel_name: str) -> bool:
        """Return True once Redis has acknowledged; False if Redis is away, and the subscription follows later."""
        self._wanted[channel_name] = None
        channel = redis_channel(channel_name)
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

    def unsubscribe(self, channel_name: str) -> None:
        if self._wanted.pop(channel_name, False) is None and self._connection is not None:
            self._commands.put_nowait(("UNSUBSCRIBE", redis_channel(channel_name)))

    async def publish(self, channel_name: str, body: Mapping[str, Any]) -> None:
        """Raises RedisError, OSError or TimeoutError."""
        await self._publish(redis_channel(channel_name), self._signer.pack(channel_name, body))

    async def _publish(self, channel: str, data: bytes) -> None:
        await asyncio.wait_for(self._client.publish(channel, data), CONNECT_TIMEOUT)

    # The connection

    async def _keep_connected(self) -> None:
        while True:
            try:
                connection = SubscriberConnection(self._client)
                await asyncio.wait_for(connection.connect(), 2 * CONNECT_TIMEOUT)
            except (RedisError, OSError, TimeoutError) as error:
                if not self._is_refused(error, "subscribe"):
                    logger.warning("cannot connect to Redis: %s; trying again", type(error).__name__)
                self._attempted.set()
                await self._wait_to_reconnect()
                continue
            try:
                await self._listen(connection)
                logger.warning("lost the subscription at Redis; reconnecting")
            except (RedisError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                if not self._is_refused(error, "subscribe"):
                    logger.warning("lost the subscription at Redis: %s; reconnecting", type(error).__name__)
            finally:
                self._disconnected()
                self._attempted.set()
                with contextlib.suppress(RedisError, OSError, TimeoutError):
                    await connection.close()
            await self._wait_to_reconnect()

    async def _wait_to_reconnect(self) -> None:
        """Pause longer after each attempt, until a subscription was acknowledged."""
        await asyncio.sleep(self._pause)
        longest = LONGEST_REFUSED_PAUSE if self._refusals and self._pause >= LONGEST_PAUSE else LONGEST_PAUSE
        self._pause = min(2 * self._pause, longest)

    def _is_refused(self, error: Exception, attempt: str) -> bool:
        """Count and log an answer by which Redis refuses the attempt; each kind is logged once until it is permitted.

        ``attempt`` is ``subscribe`` or ``publish``. Return False for another error.
        """
        refusal = refused(error)
        if refusal is None:
            return False
        kind = "login" if refusal == "login" else attempt
        metrics.subscriber_refusals.inc(kind)
        if kind not in self._refusals:
            self._refusals.add(kind)
            if kind == "login":
                logger.error("Redis refuses the user or the password of REDIS_URL, correct it: %s", error)
            else:
                logger.error(
                    "Redis does not permit to %s, correct the user's ACL, it needs %s: %s",
                    attempt, SUBSCRIBER_PERMISSIONS, error,
                )  # fmt: skip
        return True

    async def _listen(self, connection: SubscriberConnection) -> None:
        """Read until the connection is lost. One of the two tasks that ends, for any reason, ends the other."""
        wanted = [self._heartbeat_channel, *map(redis_channel, self._wanted)]
        self._heard_at = time.monotonic()
        self._commands = asyncio.Queue()
        self._outstanding = dict.fromkeys(wanted, 1)
        # From here on new channels are queued: to write thousands of names takes long, and these do not include them.
        self._connection = connection
        await connection.send("SUBSCRIBE", *wanted)
        self._attempted.set()
        tasks = [
            asyncio.create_task(self._send_commands(connection, self._commands), name="redis commands"),
            asyncio.create_task(self._read_replies(connection, wanted), name="redis replies"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _read_replies(self, connection: SubscriberConnection, wanted: list[str]) -> None:
        unacknowledged = set(wanted)
        while True:
            reply = await connection.next_reply()
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
                        self._pause = FIRST_PAUSE
                        self._refusals -= {"login", "subscribe"}
                        self._on_recovered()

    async def _send_commands(self, connection: SubscriberConnection, commands: asyncio.Queue[tuple[str, str]]) -> None:
        """Send commands in their order; neighbours of the same kind share one command."""
        while True:
            command, channel = await commands.get()
            channels = [channel]
            batches = [(command, channels)]
            while not commands.empty():
                following, channel = commands.get_nowait()
                if following != batches[-1][0]:
                    batches.append((following, []))
                batches[-1][1].append(channel)
            for name, names in batches:
                await connection.send(name, *names)

    def _acknowledged(self, channel: str) -> None:
        # After SUBSCRIBE, UNSUBSCRIBE, SUBSCRIBE only the last acknowledgement counts.
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

    # Messages

    def _received(self, channel: str, data: bytes) -> None:
        if channel == self._heartbeat_channel:
            self._heard_heartbeat(data)
            return
        name = channel.removeprefix(CHANNEL_PREFIX)
        try:
            body = self._signer.unpack(name, data)
        except UnsignedMessageError:
            self._on_unsigned(name)
        except ValueError as error:
            logger.warning("dropped a message on %s that msgpack cannot decode: %s", channel, error)
        else:
            self._receive(name, body)

    # The heartbeat

    def _heard_heartbeat(self, data: bytes) -> None:
        """Take a heartbeat that this process sent, once: others may publish on its channel too."""
        sent_at = self._beats.pop(data, None)
        if sent_at is None:
            return
        self._heard_at, self._heard_time = time.monotonic(), time.time()
        self._lag = self._heard_at - sent_at

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_interval)
            connection = self._connection
            if connection is None:
                continue
            await self._send_heartbeat()
            silent = time.monotonic() - self._heard_at
            # Without the right to publish there is no heartbeat that could be lost.
            if silent > self._heartbeat_timeout and connection is self._connection and "publish" not in self._refusals:
                logger.warning("heartbeat lost after %.1f s; reconnecting to Redis", silent)
                await connection.abort()

    async def _send_heartbeat(self) -> None:
        now = time.monotonic()
        beat = secrets.token_bytes(16)
        self._beats[beat] = now
        while len(self._beats) > MOST_BEATS:
            del self._beats[next(iter(self._beats))]
        try:
            await self._publish(self._heartbeat_channel, beat)
        except (RedisError, OSError, TimeoutError) as error:
            self._is_refused(error, "publish")
        else:
            self._refusals.discard("publish")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
