"""Where limits are counted: in Redis for all processes together, or in this process while Redis does not answer."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Generic, TypeVar

import redis
from django.conf import settings

from hunarmitra.common.first_use import made_once
from hunarmitra.common.growing_delay import Delays, GrowingDelay, LocalDelays, RedisDelays
from hunarmitra.common.rate_limit import Limit, Limiter, LocalLimiter, RedisLimiter
from hunarmitra.outbox.redis_connections import LIMITER_PERMISSIONS, blocking_client, refused
from hunarmitra.outbox.redis_publisher import OPEN_SECONDS, CircuitBreaker
from hunarmitra.telemetry.publisher import refused as refused_by_redis

logger = logging.getLogger(__name__)

_Counter = TypeVar("_Counter")
_Result = TypeVar("_Result")


class _Fallback(Generic[_Counter]):
    """Count in Redis while it answers. Without it each process counts for itself: requests are not rejected."""

    def __init__(self, shared: _Counter, local: _Counter) -> None:
        self._shared = shared
        self._local = local
        self._breaker = CircuitBreaker(OPEN_SECONDS)
        self._is_refused = False

    def _count(self, count: Callable[[_Counter], _Result]) -> _Result:
        if self._breaker.allows():
            try:
                result = count(self._shared)
            except (redis.RedisError, OSError) as error:
                self._breaker.failed()
                self._log(error)
            else:
                self._breaker.succeeded()
                self._is_refused = False
                return result
        return count(self._local)

    def _log(self, error: Exception) -> None:
        """Log a failure. A refusal lasts until somebody corrects it, so it is logged once."""
        refusal = refused(error)
        if refusal is None:
            logger.warning("rate limits count per process, because Redis does not answer: %s", type(error).__name__)
            return
        refused_by_redis("login" if refusal == "login" else "limit")
        if self._is_refused:
            return
        self._is_refused = True
        if refusal == "login":
            logger.error("rate limits count per process: Redis refuses the login of REDIS_URL, correct it: %s", error)
        else:
            logger.error(
                "rate limits count per process: Redis does not permit it, correct the user's ACL, it needs %s: %s",
                LIMITER_PERMISSIONS,
                error,
            )


class FallbackLimiter(_Fallback[Limiter]):
    """A limiter in Redis, with one of this process behind it."""

    def __init__(self, shared: Limiter) -> None:
        super().__init__(shared, LocalLimiter())

    def take(self, limit: Limit, subject: str) -> float:
        return self._count(lambda limiter: limiter.take(limit, subject))

    def give_back(self, limit: Limit, subject: str) -> None:
        self._count(lambda limiter: limiter.give_back(limit, subject))


class FallbackDelays(_Fallback[Delays]):
    """Growing delays in Redis, with those of this process behind them."""

    def __init__(self, shared: Delays) -> None:
        super().__init__(shared, LocalDelays())

    def begin(self, delay: GrowingDelay, subject: str) -> float:
        return self._count(lambda delays: delays.begin(delay, subject))

    def take_back(self, delay: GrowingDelay, subject: str) -> None:
        self._count(lambda delays: delays.take_back(delay, subject))

    def forget(self, delay: GrowingDelay, subject: str) -> None:
        self._count(lambda delays: delays.forget(delay, subject))


@made_once
def _counters_of_process(pid: int) -> tuple[Limiter, Delays]:
    environment = settings.ENVIRONMENT
    if environment.redis_url is None:
        return LocalLimiter(), LocalDelays()
    client = blocking_client(environment.redis_url, timeout=environment.redis_publish_timeout)
    return FallbackLimiter(RedisLimiter(client)), FallbackDelays(RedisDelays(client))


def limiter() -> Limiter:
    """The limiter of this process; a new one after a fork, because connections must not be shared with the parent."""
    return _counters_of_process(os.getpid())[0]


def delays() -> Delays:
    """The growing delays of this process."""
    return _counters_of_process(os.getpid())[1]
