"""The key ring: keys that sign and verify tokens, chosen by ``kid``.

simplejwt has one key and ignores ``kid`` for HS256, so a new key would sign out all users. Here every key of the ring
verifies, and one signs. A ``kid`` determines the algorithm, so a token cannot choose a weaker one (RFC 8725, section
3.1). A token without a known ``kid`` is rejected.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import jwt
from django.conf import settings
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenBackendExpiredToken

from hunarmitra.config.declaration import ConfigurationError

ALGORITHMS: Final = ("HS256", "RS256", "EdDSA")
DEFAULT_KID: Final = "default"
MINIMUM_SECRET_BYTES: Final = 32
_HEADER_BYTES: Final = 1024
"""Our header has about sixty bytes. A longer one is not cached."""


@dataclass(frozen=True)
class Key:
    """One key: ``signing`` is None for a key that only verifies (its private half is elsewhere or retired)."""

    kid: str
    algorithm: str
    verifying: Any = field(repr=False)
    signing: Any = field(default=None, repr=False)


def _parse_key(entry: Mapping[str, Any]) -> Key:
    kid, algorithm = entry.get("kid"), entry.get("alg")
    if not isinstance(kid, str) or not kid:
        raise ConfigurationError("JWT_KEYS has an entry without a kid; each key needs a name.")
    if algorithm not in ALGORITHMS:
        raise ConfigurationError(f"JWT_KEYS: alg of {kid!r} must be one of {', '.join(ALGORITHMS)}.")
    if algorithm == "HS256":
        secret = entry.get("secret")
        if not isinstance(secret, str) or len(secret.encode()) < MINIMUM_SECRET_BYTES:
            raise ConfigurationError(f"JWT_KEYS: {kid!r} needs a secret of at least {MINIMUM_SECRET_BYTES} bytes.")
        return Key(kid, algorithm, secret.encode(), secret.encode())
    method: Any = jwt.get_algorithm_by_name(algorithm)
    try:
        private: Any = method.prepare_key(entry["private_key"]) if "private_key" in entry else None
        own_public: Any = private.public_key() if private is not None else None
        public: Any = method.prepare_key(entry["public_key"]) if "public_key" in entry else own_public
        if public is None or hasattr(public, "private_bytes"):
            raise ValueError("nothing to verify with")
    except Exception:  # noqa: BLE001 - PyJWT and cryptography raise many kinds
        # The cause is dropped on purpose: its message may quote the key.
        raise ConfigurationError(
            f"JWT_KEYS: {kid!r} needs private_key (to sign) or public_key (to verify only), as PEM for {algorithm}."
        ) from None
    if own_public is not None and own_public != public:
        raise ConfigurationError(f"JWT_KEYS: private_key and public_key of {kid!r} are no pair.")
    return Key(kid, algorithm, public, private)


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
    keys: Mapping[str, Key]
    signing_kid: str

    @classmethod
    def from_settings(cls, text: str, signing_kid: str, secret_key: str) -> KeyRing:
        """Raises :class:`ConfigurationError` naming what is wrong, never the key."""
        if not text:
            if signing_kid:
                raise ConfigurationError("JWT_SIGNING_KID is set without JWT_KEYS, the keys that it chooses from.")
            secret = hmac.new(secret_key.encode(), b"hunarmitra.jwt", hashlib.sha256).hexdigest().encode()
            return cls({DEFAULT_KID: Key(DEFAULT_KID, "HS256", secret, secret)}, DEFAULT_KID)
        try:
            entries = json.loads(text)
        except ValueError:
            raise ConfigurationError("JWT_KEYS is not JSON.") from None
        if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
            raise ConfigurationError("JWT_KEYS must be a JSON list of objects, one for each key.")
        keys = [_parse_key(entry) for entry in entries]
        by_kid = {key.kid: key for key in keys}
        if len(by_kid) != len(keys):
            raise ConfigurationError("JWT_KEYS has two keys with the same kid.")
        chosen = signing_kid or keys[0].kid
        if chosen not in by_kid:
            raise ConfigurationError(f"JWT_SIGNING_KID names {chosen!r}, which JWT_KEYS does not have.")
        if by_kid[chosen].signing is None:
            raise ConfigurationError(f"JWT_KEYS: {chosen!r} signs new tokens and so needs private_key.")
        return cls(by_kid, chosen)

    def encode(self, payload: Mapping[str, Any]) -> str:
        key = self.keys[self.signing_kid]
        return jwt.encode(dict(payload), key.signing, algorithm=key.algorithm, headers={"kid": key.kid})

    def decode(self, token: str | bytes, *, verify: bool, leeway: float) -> dict[str, Any]:
        """Raises simplejwt's TokenBackendError, or TokenBackendExpiredToken for one that is only too old."""
        try:
            key = self.keys[_kid_of(token)]
            claims = jwt.decode(
                token, key.verifying, algorithms=[key.algorithm], leeway=leeway, options={"verify_signature": verify}
            )
            datetime.fromtimestamp(claims.get("exp", 0), tz=UTC)  # beyond the calendar it raises here, not in simplejwt
            return claims
        except jwt.ExpiredSignatureError:
            raise TokenBackendExpiredToken("Token is expired") from None
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, OverflowError, OSError, RecursionError):
            raise TokenBackendError("Token is invalid") from None


class KeyRingBackend(TokenBackend):
    """simplejwt's token backend over a :class:`KeyRing` instead of one key. ``leeway`` in seconds."""

    def __init__(self, ring: KeyRing, leeway: float) -> None:
        super().__init__(algorithm=ring.keys[ring.signing_kid].algorithm, leeway=leeway)
        self._ring = ring
        self._leeway = leeway

    def encode(self, payload: dict[str, Any]) -> str:
        return self._ring.encode(payload)

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        return self._ring.decode(token, verify=verify, leeway=self._leeway)


def backend_from_settings() -> KeyRingBackend:
    environment = settings.ENVIRONMENT
    ring = KeyRing.from_settings(environment.jwt_keys, environment.jwt_signing_kid, settings.SECRET_KEY)
    return KeyRingBackend(ring, environment.jwt_leeway)
