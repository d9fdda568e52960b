"""One attempt to sign in with a password, over REST or at the admin, and the limits of such attempts.

The order is address, then user name and network, then user name. The first limit that refuses ends the attempt, and
the later ones are not touched: an attacker whose address is refused cannot use up the allowance of somebody's name.

* The address: its requests per minute (THROTTLE_AUTH_PER_MINUTE), successful or not.
* User name and network (an IPv4 address, an IPv6 /64): failures, with a growing delay. A wrong code of the second
  factor is a failure too.
* User name: failures from all networks together, per hour.

A known device (:mod:`hunarmitra_http.devices`) has a growing delay for itself instead of the last two. Unknown names
are treated like known ones, and cost the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth import authenticate
from django.http import HttpRequest
from rest_framework.exceptions import Throttled

from hunarmitra.accounts.models import User
from hunarmitra.common.growing_delay import GrowingDelay
from hunarmitra.common.rate_limit import Limit
from hunarmitra.telemetry import security
from hunarmitra_http.devices import known_device
from hunarmitra_http.limiters import delays, limiter
from hunarmitra_http.metrics import rate_limited
from hunarmitra_http.throttles import address_of

NAME_AND_NETWORK: Final = "login"
NAME: Final = "login_name"


SecondFactor = Callable[[User], bool]
"""Whether the second factor of an attempt is right, or not needed."""


def not_needed(user: User) -> bool:
    """The password suffices."""
    return True


class _WrongSecondFactorError(Exception):
    def __init__(self, user_id: UUID) -> None:
        super().__init__(user_id)
        self.user_id = user_id


class SignInLimitedError(Throttled):
    """Too many attempts to sign in. ``wait`` has the seconds until the next one."""

    wait: float


def network_delay() -> GrowingDelay:
    environment = settings.ENVIRONMENT
    free = environment.throttle_login_per_minute
    return GrowingDelay(NAME_AND_NETWORK, free, first=60 / free, longest=environment.throttle_login_delay_max)


def name_limit() -> Limit:
    return Limit(NAME, settings.ENVIRONMENT.throttle_login_name_per_hour, 3600)


def sign_in(
    request: HttpRequest, *, username: str, password: str, event: str, second_factor: SecondFactor = not_needed
) -> User | None:
    """Return the user of these credentials, or None. The caller has applied the limit of the address.

    ``second_factor`` is called with the user of a right password. If it returns False, the attempt has failed like one
    with a wrong password, and counts like one. Attempts that fail are recorded as ``event``. Raises
    :class:`SignInLimitedError`.
    """
    try:
        user = _authenticate(request, username, password, second_factor)
    except SignInLimitedError:
        _record(event, "limited", username)
        raise
    except _WrongSecondFactorError as wrong:
        security.record(event, "rejected", user_id=wrong.user_id, failed="second_factor")
        return None
    if user is None:
        _record(event, "rejected", username)
    return user


def _record(event: str, outcome: str, username: str) -> None:
    """Record the id of the user, if there is one. Never the name: it may be a password in the wrong field."""
    user_id = User.objects.filter(username=username).values_list("pk", flat=True).first()
    security.record(event, outcome, user_id=user_id)


def _authenticate(request: HttpRequest, username: str, password: str, second_factor: SecondFactor) -> User | None:
    device = known_device(request, username)
    subject = f"{address_of(request)} {username}" if device is None else f"device {device}"
    _refuse_for(NAME_AND_NETWORK, delays().begin(network_delay(), subject))
    if device is None and (wait := limiter().take(name_limit(), username)):
        delays().take_back(network_delay(), subject)
        _refuse_for(NAME, wait)
    user = authenticate(request, username=username, password=password)
    if not isinstance(user, User):
        return None
    if not second_factor(user):
        raise _WrongSecondFactorError(user.pk)
    delays().forget(network_delay(), subject)
    if device is None:
        limiter().give_back(name_limit(), username)
    return user


def _refuse_for(limit: str, wait: float) -> None:
    if wait:
        rate_limited(limit)
        raise SignInLimitedError(wait)
