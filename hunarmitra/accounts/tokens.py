"""simplejwt's tokens over our key ring, bound to a session by ``sid``."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from rest_framework_simplejwt import tokens as simplejwt
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from hunarmitra.accounts.keys import KeyRingBackend, backend_from_settings
from hunarmitra.accounts.models import User

SESSION_CLAIM = "sid"
STORED_PREFIX: Final = "sha256:"
"""Begins each stored hash. No encoded token begins with it."""


@lru_cache(maxsize=1)
def token_backend() -> KeyRingBackend:
    return backend_from_settings()


class AccessToken(simplejwt.AccessToken):
    def get_token_backend(self) -> KeyRingBackend:
        return token_backend()


class RefreshToken(simplejwt.RefreshToken):
    """A refresh token whose row has a hash where simplejwt stores the complete token."""

    access_token_class = AccessToken

    def get_token_backend(self) -> KeyRingBackend:
        return token_backend()

    def outstand(self) -> Any:
        """Store the row of this token unless it exists. Return the row and whether it is new."""
        return OutstandingToken.objects.get_or_create(
            jti=self.payload["jti"],
            defaults={
                "user": User.objects.filter(pk=self.payload["user_id"]).first(),
                # Of a successor, a repeated request makes the claim of this value.
                "created_at": datetime.fromtimestamp(self.payload["iat"], tz=UTC),
                "token": stored_form(str(self)),
                "expires_at": datetime.fromtimestamp(self.payload["exp"], tz=UTC),
            },
        )

    def blacklist(self) -> Any:
        """Mark this token as spent. Return the entry and whether it is new."""
        row, _ = self.outstand()
        return BlacklistedToken.objects.get_or_create(token=row)

    @classmethod
    def for_user(cls, user: Any) -> Any:
        """Return a new token of the user, with its row. It has no session, so no endpoint accepts it."""
        token = super(simplejwt.BlacklistMixin, cls).for_user(user)
        token.outstand()
        return token


class PresentedRefreshToken(RefreshToken):
    """A refresh token as a client presents it: signature, type and expiry are checked, not whether it is spent."""

    def check_blacklist(self) -> None:
        """Leave that to the caller, who decides it under the lock of the session."""


class AnyToken(simplejwt.UntypedToken):
    """For ``auth/verify/``, which accepts tokens of both kinds."""

    def get_token_backend(self) -> KeyRingBackend:
        return token_backend()


def stored_form(encoded: str) -> str:
    """Return the hash that the database keeps of a refresh token. The signature makes it impossible to guess."""
    return STORED_PREFIX + hashlib.sha256(encoded.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Identity:
    """The claims of a valid token. Whether its session still exists is a question to the database."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    expires_at: datetime


def identity_of(token: simplejwt.Token) -> Identity:
    """Return the identity of a token. Raises TokenError for a token without a user or a session."""
    try:
        return Identity(
            user_id=uuid.UUID(token["user_id"]),
            session_id=uuid.UUID(token[SESSION_CLAIM]),
            expires_at=datetime.fromtimestamp(token["exp"], tz=UTC),
        )
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, OSError):
        raise TokenError("Token names no session") from None


def become_successor(token: RefreshToken, *, issued_at: datetime, expires_at: datetime) -> None:
    """Turn a spent refresh token into its successor.

    The successor's ``jti`` follows from the spent one, and the claims are whole seconds. So the same successor can be
    signed again, and no refresh token has to be stored.
    """
    token["jti"] = successor_jti(token["jti"])
    token.set_iat(at_time=issued_at)
    token.set_exp(from_time=expires_at, lifetime=timedelta(0))


def successor_jti(jti: str) -> str:
    return hashlib.sha256(f"successor of {jti}".encode()).hexdigest()[:32]
