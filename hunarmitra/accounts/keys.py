"""The key ring: keys that sign and verify tokens, chosen by ``kid``.

simplejwt has one key and ignores ``kid`` for HS256, so a new key would sign out all users. Here every key of the ring
verifies, and one signs. A ``kid`` determines the algorithm, so a token cannot choose a weaker one (RFC 8725, section
3.1). A token without a known ``kid`` is rejected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import jwt
from django.conf import settings
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenBackendExpiredToken

from hunarmitra.config.declaration import ConfigurationError
from hunarmitra.config.key_ring import Key, configured_keys, read_keys

_HEADER_BYTES: Final = 1024
"""Our header has about sixty bytes. A longer one is not cached."""


def _kid_of(token: str | bytes) -> str:
    """Return the ``kid`` of a token's header, which is not verified yet."""
    encoded = token.encode() if isinstance(token, str) else token
    header, dot, _ = encoded.partition(b".")
    return _kid_in_header(header) if dot and len(header) <= _HEADER_BYTES else ""


@lru_cache(maxsize=64)
def _kid_in_header(header: bytes) -> str:
    """Cached: all tokens of one key have the same header, and parsing it takes a third of the whole check."""
    return str(jwt.get_unverified_header(header + b"..").get("kid", ""))


@dataclass(frozen=True)
class KeyRing:
    """Keys that verify tokens. ``signing_kid`` is None in a process that has no key to sign with."""

    keys: Mapping[str, Key]
    signing_kid: str | None

    @classmethod
    def from_settings(cls, text: str, signing_kid: str, secret_key: str, *, must_sign: bool = True) -> KeyRing:
        """Raises :class:`ConfigurationError` naming what is wrong, never the key."""
        return cls(*read_keys(text, signing_kid, secret_key, must_sign=must_sign))

    @property
    def algorithm(self) -> str:
        """The algorithm of new tokens; without a signing key, that of the first key."""
        return (self.keys[self.signing_kid] if self.signing_kid else next(iter(self.keys.values()))).algorithm

    def encode(self, payload: Mapping[str, Any]) -> str:
        if self.signing_kid is None:
            raise ConfigurationError("JWT_KEYS has no key to sign with: only a process that serves http issues tokens.")
        key = self.keys[self.signing_kid]
        return jwt.encode(dict(payload), key.signing, algorithm=key.algorithm, headers={"kid": key.kid})

    def decode(self, token: str | bytes, *, verify: bool, leeway: float) -> dict[str, Any]:
        """Raises simplejwt's TokenBackendError, or TokenBackendExpiredToken for one that is only too old."""
        try:
            key = self.keys[_kid_of(token)]
            claims = jwt.decode(
                token,
                key.verifying,
                algorithms=[key.algorithm],
                leeway=leeway,
                options={"verify_signature": verify, "verify_aud": False},  # see Names
            )
            datetime.fromtimestamp(claims.get("exp", 0), tz=UTC)  # beyond the calendar it raises here, not in simplejwt
            return claims
        except jwt.ExpiredSignatureError:
            raise TokenBackendExpiredToken("Token is expired") from None
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, OverflowError, OSError, RecursionError):
            raise TokenBackendError("Token is invalid") from None


@dataclass(frozen=True)
class Names:
    """Accepted values of ``iss`` and ``aud``; the first of each is put into new tokens.

    A token without the claim is accepted, because older versions issued such tokens, and so is any value while no name
    is configured. So a change needs two steps, as a change of keys: first the new name is accepted, then it is issued.
    """

    issuers: Sequence[str] = ()
    audiences: Sequence[str] = ()

    def claims(self) -> dict[str, str]:
        return {name: values[0] for name, values in (("iss", self.issuers), ("aud", self.audiences)) if values}

    def accept(self, claims: Mapping[str, Any]) -> bool:
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        wrong_issuer = self.issuers and "iss" in claims and claims["iss"] not in self.issuers
        wrong_audience = self.audiences and "aud" in claims and not any(one in self.audiences for one in audiences)
        return not wrong_issuer and not wrong_audience


class KeyRingBackend(TokenBackend):
    """simplejwt's token backend over a :class:`KeyRing` instead of one key. ``leeway`` in seconds."""

    def __init__(self, ring: KeyRing, leeway: float, names: Names | None = None) -> None:
        super().__init__(algorithm=ring.algorithm, leeway=leeway)
        self._ring = ring
        self._names = names or Names()
        self._leeway = leeway

    def encode(self, payload: dict[str, Any]) -> str:
        return self._ring.encode({**payload, **self._names.claims()})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        claims = self._ring.decode(token, verify=verify, leeway=self._leeway)
        if not self._names.accept(claims):
            raise TokenBackendError("Token is invalid")
        return claims


def backend_from_settings() -> KeyRingBackend:
    environment = settings.ENVIRONMENT
    ring = KeyRing(*configured_keys(environment, must_sign=settings.SERVES_HTTP))
    names = Names(issuers=environment.jwt_issuer, audiences=environment.jwt_audience)
    return KeyRingBackend(ring, environment.jwt_leeway, names)
