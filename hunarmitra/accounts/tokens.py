"""simplejwt's tokens over our key ring, bound to a session by ``sid``."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from rest_framework_simplejwt import tokens as simplejwt
from rest_framework_simplejwt.exceptions import TokenError

from hunarmitra.accounts.keys import KeyRingBackend, backend_from_settings

SESSION_CLAIM = "sid"


@lru_cache(maxsize=1)
def token_backend() -> KeyRingBackend:
    return backend_from_settings()


class AccessToken(simplejwt.AccessToken):
    def get_token_backend(self) -> KeyRingBackend:
        return token_backend()


class RefreshToken(simplejwt.RefreshToken):
    access_token_class = AccessToken

    def get_token_backend(self) -> KeyRingBackend:
        return token_backend()


class PresentedRefreshToken(RefreshToken):
    """A refresh token as a client presents it: signature, type and expiry are checked, not whether it is spent."""

    def check_blacklist(self) -> None:
        """Leave that to the caller, who decides it under the lock of the session."""


class AnyToken(simplejwt.UntypedToken):
    """For ``auth/verify/``, which accepts tokens of both kinds."""

    def get_token_backend(self) -> KeyRingBackend:
        return token_backend()


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


def read_access_token(encoded: str) -> Identity:
    """Check signature, type and expiry without any query. Raises TokenError."""
    return identity_of(AccessToken(encoded))  # type: ignore[arg-type]
