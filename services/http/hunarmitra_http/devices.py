"""Known devices: those on which a user has signed in with a password (OWASP, "device cookie").

A successful sign-in gives the device a signed token, bound to the user's name, password and epoch of sessions. With it
the device can sign in this user although others guess the user's password. It proves nothing else: the password is
still needed. Browsers keep it as an HttpOnly cookie. A client without cookies sends the header ``Device-Token``, empty
at first, and then gets the token in a header.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare, salted_hmac

from hunarmitra.accounts.models import User

HEADER: Final = "Device-Token"
_META: Final = "HTTP_DEVICE_TOKEN"
_SALT: Final = "hunarmitra.device"
LONGEST: Final = 512


def cookie_name() -> str:
    """``__Host-``: only this host, over TLS, has set the cookie."""
    return "__Host-hunarmitra-device" if settings.SESSION_COOKIE_SECURE else "hunarmitra-device"


def known_device(request: HttpRequest, username: str) -> str | None:
    """Return the id of the device if its token is one of this user name and still holds, else None.

    The database is asked only if the token is for this name, so unknown names cost the same as known ones.
    """
    token = request.META.get(_META) or request.COOKIES.get(cookie_name())
    if not token or len(token) > LONGEST:
        return None
    try:
        lifetime = timedelta(seconds=settings.ENVIRONMENT.login_device_lifetime)
        value = signing.TimestampSigner(salt=_SALT).unsign(token, max_age=lifetime)
        device, name, state = value.split(".")
    except (signing.BadSignature, ValueError):
        return None
    if not constant_time_compare(name, _digest("name", username)):
        return None
    user = User.objects.filter(username=username).first()
    return device if user is not None and constant_time_compare(state, _state_of(user)) else None


def remember_device(request: HttpRequest, response: HttpResponseBase, user: User) -> None:
    """Give the device of a successful sign-in a new token: as a cookie, and as a header if it has sent that header."""
    lifetime = settings.ENVIRONMENT.login_device_lifetime
    if not lifetime:
        return
    value = f"{secrets.token_hex(8)}.{_digest('name', user.username)}.{_state_of(user)}"
    token = signing.TimestampSigner(salt=_SALT).sign(value)
    if _META in request.META:
        response.headers[HEADER] = token
        return
    response.set_cookie(
        cookie_name(),
        token,
        max_age=int(lifetime),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )


def _state_of(user: User) -> str:
    """Changes when the password changes, and when all sessions of the user end."""
    return _digest("state", user.get_session_auth_hash())


def _digest(kind: str, value: str) -> str:
    return salted_hmac(f"{_SALT}.{kind}", value, algorithm="sha256").hexdigest()[:32]
