"""The API's rate limits: for each user by the hour, for writes and sign-ins by the minute."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import redis
from django.conf import settings
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from hunarmitra.accounts.models import User
from hunarmitra.common.addresses import subscriber_of
from hunarmitra.common.first_use import made_once
from hunarmitra.common.rate_limit import Limit, Limiter, LocalLimiter, RedisLimiter
from hunarmitra.outbox.redis_connections import LIMITER_PERMISSIONS, blocking_client, refused
from hunarmitra.outbox.redis_publisher import OPEN_SECONDS, CircuitBreaker
from hunarmitra.telemetry.publisher import refused as refused_by_redis
from hunarmitra_http.metrics import rate_limited

if TYPE_CHECKING:
    # At run time REST framework's views are still being imported when they import this module.
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)


class FallbackLimiter:
    """Count in Redis while it answers. Without it each process counts for itself: requests are not rejected."""

    def __init__(self, shared: Limiter) -> None:
        self._shared = shared
        self._local = LocalLimiter()
        self._breaker = CircuitBreaker(OPEN_SECONDS)
        self._is_refused = False

    def take(self, limit: Limit, subject: str) -> float:
        if self._breaker.allows():
            try:
                wait = self._shared.take(limit, subject)
            except (redis.RedisError, OSError) as error:
                self._breaker.failed()
                self._log(error)
            else:
                self._breaker.succeeded()
                self._is_refused = False
                return wait
        return self._local.take(limit, subject)

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


@made_once
def _limiter_of_process(pid: int) -> Limiter:
    environment = settings.ENVIRONMENT
    if environment.redis_url is None:
        return LocalLimiter()
    return FallbackLimiter(
        RedisLimiter(blocking_client(environment.redis_url, timeout=environment.redis_publish_timeout))
    )


def limiter() -> Limiter:
    """The limiter of this process; a new one after a fork, because connections must not be shared with the parent."""
    return _limiter_of_process(os.getpid())


class LimitThrottle(BaseThrottle):
    """One :class:`Limit`, applied to the subject of a request."""

    def limit(self) -> Limit:
        raise NotImplementedError

    def subject(self, request: Request) -> str | None:
        """Return what the limit counts by; None when it does not apply."""
        raise NotImplementedError

    def allow_request(self, request: Request, view: APIView) -> bool:
        subject = self.subject(request)
        limit = self.limit()
        self._wait = 0.0 if subject is None else limiter().take(limit, subject)
        if self._wait > 0:
            rate_limited(limit.name)
        return self._wait <= 0

    def wait(self) -> float:
        return self._wait


def address_of(request: Request) -> str:
    """Return the address that limits count by; TrustedProxyMiddleware has stored the client's address."""
    return subscriber_of(str(request.META.get("REMOTE_ADDR", "")))


class UserThrottle(LimitThrottle):
    """All requests of one user in an hour. Without a user, requests count by address."""

    def limit(self) -> Limit:
        return Limit("user", settings.ENVIRONMENT.throttle_user_per_hour, 3600)

    def subject(self, request: Request) -> str:
        return str(request.user.pk) if isinstance(request.user, User) else address_of(request)


class WriteThrottle(LimitThrottle):
    """Requests of one user that change something, in a minute: a burst costs more than its share of the hour."""

    def limit(self) -> Limit:
        return Limit("writes", settings.ENVIRONMENT.throttle_writes_per_minute, 60)

    def subject(self, request: Request) -> str | None:
        if request.method in SAFE_METHODS or not isinstance(request.user, User):
            return None
        return str(request.user.pk)


class AuthThrottle(LimitThrottle):
    """Sign-in, refresh, verify and sign-out requests of one address."""

    def limit(self) -> Limit:
        return Limit("auth", settings.ENVIRONMENT.throttle_auth_per_minute, 60)

    def subject(self, request: Request) -> str:
        return address_of(request)


class LoginThrottle(LimitThrottle):
    """Sign-in attempts for one user name, from all addresses: passwords are guessed from many."""

    def limit(self) -> Limit:
        return Limit("login", settings.ENVIRONMENT.throttle_login_per_minute, 60)

    def subject(self, request: Request) -> str | None:
        name = request.data.get("username") if isinstance(request.data, dict) else None
        return name if isinstance(name, str) else None


def wait_to_sign_in(*, address: str, username: str) -> float:
    """Apply both limits outside REST framework. Return the seconds to wait, 0 for none."""
    for limit, subject in ((AuthThrottle().limit(), subscriber_of(address)), (LoginThrottle().limit(), username)):
        if wait := limiter().take(limit, subject):
            rate_limited(limit.name)
            return wait
    return 0.0
