"""Publishes to Redis from synchronous code, in the wire format of channels_redis' pub/sub layer.

A group ``g`` is the Redis channel ``asgi__group__g`` and a message is msgpack: the format of
``channels_redis.pubsub.RedisPubSubChannelLayer``, so either side may be replaced by that layer.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from typing import Final

import msgpack
import redis

from hunarmitra.config.redis_url import RedisTarget
from hunarmitra.outbox.redis_connections import blocking_client
from hunarmitra.protocol.messages import Message

logger = logging.getLogger(__name__)

CHANNEL_PREFIX: Final = "asgi__group__"
OPEN_SECONDS: Final = 1.0


class PublisherUnavailableError(Exception):
    """Redis did not take the messages, or is being left alone for a moment after a failure."""


def redis_channel(group: str) -> str:
    return CHANNEL_PREFIX + group


class CircuitBreaker:
    """After a failure, refuses calls for ``open_seconds``; then lets one through to try.

    Without it, a Redis that swallows packets would cost every request the whole timeout.
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
                # Half open: the others keep out until this one has reported.
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

    def publish(self, messages: Sequence[Message]) -> None:
        """One round trip, whatever the number of messages. Raises :class:`PublisherUnavailableError`."""
        if not self._breaker.allows():
            raise PublisherUnavailableError("left alone for a moment after a failure")
        try:
            pipeline = self._client.pipeline(transaction=False)
            for message in messages:
                pipeline.publish(redis_channel(message.channel), msgpack.packb(dict(message.body)))
            pipeline.execute()
        except (redis.RedisError, OSError) as error:
            self._breaker.failed()
            logger.warning("Redis does not take messages: %s", type(error).__name__)
            raise PublisherUnavailableError(type(error).__name__) from error
        self._breaker.succeeded()


_publishers: dict[int, RedisPublisher] = {}
_publishers_lock = threading.Lock()


def redis_publisher() -> RedisPublisher | None:
    """This process's publisher (made anew after a fork), or None without ``REDIS_URL``."""
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
