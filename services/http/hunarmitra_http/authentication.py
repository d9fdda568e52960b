"""Who a request comes from: the bearer token's user, as long as the session it belongs to lasts."""

from __future__ import annotations

from typing import Final

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import ExpiredTokenError, InvalidToken, TokenError

from hunarmitra.accounts.access_tokens import read_access_token
from hunarmitra.accounts.models import User
from hunarmitra.accounts.selectors import user_of_session
from hunarmitra.accounts.tokens import Identity
from hunarmitra_http import failures

CHALLENGE: Final = 'Bearer realm="api"'


class SessionJWTAuthentication(BaseAuthentication):
    """``Authorization: Bearer <access token>``. One query: the token is checked inline, then session and user.

    Failures are limited by address (:mod:`hunarmitra_http.failures`).
    """

    def authenticate(self, request: Request) -> tuple[User, Identity] | None:
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != b"bearer":
            return None
        if len(parts) != 2:
            raise AuthenticationFailed(
                "The Authorization header must be: Bearer <token>.", code="bad_authorization_header"
            )
        try:
            identity = read_access_token(parts[1].decode("ascii"))
        except ExpiredTokenError:
            # Not counted as a failure: each client has one several times an hour.
            raise InvalidToken("Token is invalid or expired") from None
        except (TokenError, UnicodeDecodeError):
            failures.failed_token(request)
            raise InvalidToken("Token is invalid or expired") from None
        failures.reject_repeated(failures.ended_session(identity))
        user = user_of_session(identity)
        if user is None:
            failures.failed_token(request, identity)
            raise InvalidToken("Token is revoked")
        return user, identity

    def authenticate_header(self, request: Request) -> str:
        """Without it REST framework answers 403 where 401 is meant."""
        return CHALLENGE


def identity_of_request(request: Request) -> Identity:
    """What the token of an authenticated request said."""
    identity = request.auth
    assert isinstance(identity, Identity)
    return identity


def user_of_request(request: Request) -> User:
    """The user of an authenticated request."""
    user = request.user
    assert isinstance(user, User)
    return user
