"""Publish to Redis from synchronous code, in the wire format of channels_redis' pub/sub layer, signed.

A channel ``c`` is the Redis channel ``asgi__group__c`` and a message is a msgpack map: the format of
``channels_redis.pubsub.RedisPubSubChannelLayer``, so that layer can receive it. :mod:`.signing` adds one entry to the
map. Hubs read the database at a message without it, and deliver nothing of the message itself.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from typing import Final

import redis

from hunarmitra.config.redis_url import RedisTarget
from hunarmitra.outbox import redis_adapter
from hunarmitra.outbox.redis_connections import PUBLISHER_PERMISSIONS, blocking_client, refused
from hunarmitra.outbox.signing import message_signer
from hunarmitra.protocol.messages import Message
from hunarmitra.telemetry import publisher as metrics

logger = logging.getLogger(__name__)

CHANNEL_PREFIX: Final = "asgi__group__"
OPEN_SECONDS: Final = 1.0


class PublisherUnavailableError(Exception):
    """Redis did not take the messages, or the circuit breaker is open after a failure."""


class UnencodableMessageError(Exception):
    """The body of a message has a value that msgpack cannot encode."""


def redis_channel(channel: str) -> str:
    """Return the Redis channel of a channel."""
    return CHANNEL_PREFIX + channel


class CircuitBreaker:
    """After a failure, reject calls for ``open_seconds``; then let one through to try.

    Without it, a Redis that drops packets would cost every request the whole timeout.
    """

    def __init__(self, open_seconds: float) -> None:
        self._open_seconds = open_seconds
        self._open_until = 0.0
        self._lock = threading.Lock()

    def allows(self) -> bool:
        with self._lock:
            now = time.monotonic()
            if now < self._open_until:
                return False
            if self._open_until:
                # Half open: other calls wait until this one has reported.
                self._open_until = now + self._open_seconds
            return True

    def succeeded(self) -> None:
        self._open_until = 0.0

    def failed(self) -> None:
        self._open_until = time.monotonic() + self._open_seconds


class RedisPublisher:
    """A pooled client behind a circuit breaker; threads of a process share one."""

    def __init__(self, target: RedisTarget, timeout: float) -> None:
        self._client = blocking_client(target, timeout=timeout)
        self._breaker = CircuitBreaker(OPEN_SECONDS)
        self._is_refused = False

    def publish(self, messages: Sequence[Message]) -> Sequence[int]:
        """Publish all messages in one round trip; return for each how many processes are subscribed to its channel.

        Raises :class:`UnencodableMessageError`, before any message was sent, or :class:`PublisherUnavailableError`.
        """
        commands = [("PUBLISH", redis_channel(message.channel), _encode(message)) for message in messages]
        if not self._breaker.allows():
            raise PublisherUnavailableError("publishing to Redis is paused after a failure")
        try:
            listeners: Sequence[int] = redis_adapter.execute(self._client, commands)
        except (redis.RedisError, OSError) as error:
            self._breaker.failed()
            self._log(error)
            raise PublisherUnavailableError(type(error).__name__) from error
        self._breaker.succeeded()
        self._is_refused = False
        return listeners

    def _log(self, error: Exception) -> None:
        """Log a failure. A refusal lasts until somebody corrects it, so it is logged once."""
        refusal = refused(error)
        if refusal is None:
            logger.warning("cannot publish to Redis: %s", type(error).__name__)
            return
        metrics.refused("login" if refusal == "login" else "publish")
        if self._is_refused:
            return
        self._is_refused = True
        if refusal == "login":
            logger.error("Redis refuses the user or the password of REDIS_URL, correct it: %s", error)
        else:
            permissions = PUBLISHER_PERMISSIONS
            logger.error(
                "Redis does not permit to publish, correct the user's ACL, it needs %s: %s", permissions, error
            )


def _encode(message: Message) -> bytes:
    try:
        return message_signer().pack(message.channel, message.body)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnencodableMessageError(f"the message to {message.channel} cannot be encoded: {error}") from error


_publishers: dict[int, RedisPublisher] = {}
_publishers_lock = threading.Lock()


def redis_publisher() -> RedisPublisher | None:
    """Return this process's publisher, or None without ``REDIS_URL``. A forked process gets its own."""
    from django.conf import settings

    environment = settings.ENVIRONMENT
    if environment.redis_url is None:
        return None
    pid = os.getpid()
    publisher = _publishers.get(pid)
    if publisher is None:
        with _publishers_lock:
            publisher = _publishers.setdefault(
                pid, RedisPublisher(environment.redis_url, environment.redis_publish_timeout)
            )
    return publisher
