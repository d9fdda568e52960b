"""The limit of failed requests: by address, and by user where a request costs queries that no other limit counts.

Only failures are counted, and only failures are rejected: many phones share the address of a carrier, and a request
that succeeds never depends on what others of that address did. So a request is judged when it has failed, and 429
replaces the error. What failed above the limit is remembered until it may be tried again, so that repeating it costs no
query: a session that has ended, and a session with a booking that it may not post to.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from hunarmitra.accounts.tokens import Identity
from hunarmitra.bookings.errors import NotVisibleError
from hunarmitra.common.first_use import made_once
from hunarmitra.common.rate_limit import Limit
from hunarmitra_http.limiters import limiter
from hunarmitra_http.metrics import rate_limited
from hunarmitra_http.throttles import address_of

DETAIL: Final = "Too many failed requests; try again after the seconds in Retry-After."
_COUNTED_BY_USER: Final = frozenset({400, 403, 409, 413, 415})


class TooManyFailuresError(Throttled):
    """The request failed as too many of its address or user did before."""

    default_detail = DETAIL


class Rejections:
    """What a process rejects without looking, and until when. Keeps ``capacity`` keys, and drops the oldest."""

    def __init__(self, capacity: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._until: OrderedDict[Hashable, float] = OrderedDict()
        self._capacity = capacity
        self._clock = clock
        self._lock = threading.Lock()

    def add(self, key: Hashable, seconds: float) -> None:
        with self._lock:
            self._until[key] = self._clock() + seconds
            self._until.move_to_end(key)
            if len(self._until) > self._capacity:
                self._until.popitem(last=False)

    def wait(self, key: Hashable) -> float:
        """Return the seconds until the key may be tried again, 0 for a key that is not rejected."""
        until = self._until.get(key)
        if until is None:
            return 0.0
        left = until - self._clock()
        if left <= 0:
            with self._lock:
                self._until.pop(key, None)
        return max(left, 0.0)


@made_once
def _rejections_of_process(pid: int) -> Rejections:
    return Rejections()


def rejections() -> Rejections:
    return _rejections_of_process(os.getpid())


def ended_session(identity: Identity) -> Hashable:
    return identity.session_id


def invisible_booking(identity: Identity, booking_id: UUID) -> Hashable:
    return identity.session_id, booking_id


def count_failure(subject: str) -> float:
    """Count a failure of an address or a user. Return 0, or the seconds to wait when there were too many."""
    wait = limiter().take(Limit("failures", settings.ENVIRONMENT.throttle_failures_per_minute, 60), subject)
    if wait:
        rate_limited("failures")
    return wait


def failed_token(request: Request, identity: Identity | None = None) -> None:
    """Count a token that is not accepted; ``identity`` if only its session has ended.

    Raises :class:`TooManyFailuresError`.
    """
    if wait := count_failure(address_of(request)):
        if identity is not None:
            rejections().add(ended_session(identity), wait)
        raise TooManyFailuresError(wait)


def reject_repeated(key: Hashable) -> None:
    """Raise :class:`TooManyFailuresError` if this failed above the limit, and it is too early to try again."""
    if wait := rejections().wait(key):
        rate_limited("failures")
        raise TooManyFailuresError(wait)


def wait_after(error: Exception, status: int, context: Mapping[str, Any]) -> float:
    """Count a failed request. Return the seconds to wait when there were too many, else 0.

    A booking that the user may not see counts by address: its id was guessed, from any number of accounts. Other errors
    count by user, and only for views that set ``counts_failures``.
    """
    request, view = context.get("request"), context.get("view")
    if request is None:
        return 0.0
    if isinstance(error, NotVisibleError):
        wait = count_failure(address_of(request))
        booking_id = (context.get("kwargs") or {}).get("booking_id")
        if wait and isinstance(request.auth, Identity) and isinstance(booking_id, UUID):
            rejections().add(invisible_booking(request.auth, booking_id), wait)
        return wait
    if status in _COUNTED_BY_USER and request.method == "POST" and getattr(view, "counts_failures", False):
        return count_failure(f"user:{request.user.pk}")
    return 0.0
