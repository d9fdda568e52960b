"""Redis clients for a ``REDIS_URL``: plain, TLS or Sentinel; blocking for requests, asyncio for the subscriber."""

from __future__ import annotations

from typing import Any, Final

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from hunarmitra.config.redis_url import RedisTarget

PUBLISHER_PERMISSIONS: Final = "+ping +publish &asgi__group__*"
LIMITER_PERMISSIONS: Final = "+evalsha +script|load +time +get +set ~hunarmitra:limit:*"
SUBSCRIBER_PERMISSIONS: Final = "+ping +subscribe +unsubscribe +publish &asgi__group__* &hunarmitra__heartbeat__*"
"""What the user of REDIS_URL needs in Redis's access control list: to publish, to limit rates, and in a ws process."""


def _options(timeout: float | None, connect_timeout: float) -> dict[str, Any]:
    return {"socket_timeout": timeout, "socket_connect_timeout": connect_timeout, "socket_keepalive": True}


def _sentinel_options(target: RedisTarget) -> dict[str, Any]:
    return {"username": target.username, "password": target.password, "db": target.database}


def blocking_client(target: RedisTarget, *, timeout: float) -> redis.Redis:
    """Return a client without retries: a call takes at most ``timeout`` seconds, twice that when it must connect."""
    options = {**_options(timeout, timeout), "retry": Retry(NoBackoff(), 0), "protocol": 2}
    if target.url:
        return redis.Redis.from_url(target.url, **options)
    sentinel = Sentinel(list(target.sentinels), sentinel_kwargs=options)
    client: redis.Redis = sentinel.master_for(target.primary_name, **_sentinel_options(target), **options)
    return client


def asyncio_client(target: RedisTarget, *, connect_timeout: float) -> redis.asyncio.Redis:
    """Return a client without a read timeout: a subscriber may receive nothing for hours (a heartbeat checks it)."""
    options = {**_options(None, connect_timeout), "retry": AsyncRetry(NoBackoff(), 0), "protocol": 2}
    if target.url:
        return redis.asyncio.Redis.from_url(target.url, **options)
    sentinel_options = {
        **_options(connect_timeout, connect_timeout),
        "retry": AsyncRetry(NoBackoff(), 0),
        "protocol": 2,
    }
    sentinel = AsyncSentinel(list(target.sentinels), sentinel_kwargs=sentinel_options)
    client: redis.asyncio.Redis = sentinel.master_for(target.primary_name, **_sentinel_options(target), **options)
    return client


def refused(error: Exception) -> str | None:
    """Return what Redis refuses, ``login`` or ``permission``, or None for another error."""
    if isinstance(error, redis.AuthenticationError):
        return "login"
    return "permission" if isinstance(error, redis.exceptions.NoPermissionError) else None
