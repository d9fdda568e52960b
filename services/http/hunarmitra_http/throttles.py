"""The API's rate limits: for each user by the hour, for writes and requests of `auth/` by the minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from hunarmitra.accounts.models import User
from hunarmitra.common.addresses import subscriber_of
from hunarmitra.common.rate_limit import Limit
from hunarmitra_http.limiters import limiter
from hunarmitra_http.metrics import rate_limited

if TYPE_CHECKING:
    # At run time REST framework's views are still being imported when they import this module.
    from rest_framework.views import APIView


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


def address_of(request: Request | HttpRequest) -> str:
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


def auth_limit() -> Limit:
    return Limit("auth", settings.ENVIRONMENT.throttle_auth_per_minute, 60)


class AuthThrottle(LimitThrottle):
    """Sign-in, refresh, verify and sign-out requests of one address."""

    def limit(self) -> Limit:
        return auth_limit()

    def subject(self, request: Request) -> str:
        return address_of(request)
