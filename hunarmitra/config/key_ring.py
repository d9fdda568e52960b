"""The keys of ``JWT_KEYS``: they sign and verify tokens, and the messages on Redis unless ``MESSAGE_KEYS`` is set.

Without ``JWT_KEYS`` there is one key, derived from ``SECRET_KEY``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt

from hunarmitra.config.declaration import ConfigurationError
from hunarmitra.config.environment import Environment
from hunarmitra.config.values import MINIMUM_SECRET_BYTES

ALGORITHMS: Final = ("HS256", "RS256", "EdDSA")
DEFAULT_KID: Final = "default"


@dataclass(frozen=True)
class Key:
    """One key: ``signing`` is None for a key that only verifies (its private half is elsewhere or retired)."""

    kid: str
    algorithm: str
    verifying: Any = field(repr=False)
    signing: Any = field(default=None, repr=False)


def _parse_key(entry: Mapping[str, Any], secret_key: str) -> Key:
    kid, algorithm = entry.get("kid"), entry.get("alg")
    if not isinstance(kid, str) or not kid:
        raise ConfigurationError("JWT_KEYS has an entry without a kid; each key needs a name.")
    if algorithm not in ALGORITHMS:
        raise ConfigurationError(f"JWT_KEYS: alg of {kid!r} must be one of {', '.join(ALGORITHMS)}.")
    if algorithm == "HS256":
        if kid == DEFAULT_KID and "secret" not in entry and secret_key:
            return _default_key(secret_key)
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


def _default_key(secret_key: str) -> Key:
    secret = hmac.new(secret_key.encode(), b"hunarmitra.jwt", hashlib.sha256).hexdigest().encode()
    return Key(DEFAULT_KID, "HS256", secret, secret)


def read_keys(
    text: str, signing_kid: str, secret_key: str, *, must_sign: bool = True
) -> tuple[Mapping[str, Key], str | None]:
    """Return the keys by their ``kid``, and the ``kid`` of the key that signs; None where no key does.

    A process that only verifies (not ``must_sign``) may have public keys alone. Without a ``secret_key`` it has to: a
    key that can sign would give it a power that it does not need. Raises :class:`ConfigurationError` naming what is
    wrong, never the key.
    """
    if not text:
        if signing_kid:
            raise ConfigurationError("JWT_SIGNING_KID is set without JWT_KEYS, the keys that it chooses from.")
        return {DEFAULT_KID: _default_key(secret_key)}, DEFAULT_KID
    try:
        entries = json.loads(text)
    except ValueError:
        raise ConfigurationError("JWT_KEYS is not JSON.") from None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigurationError("JWT_KEYS must be a JSON list of objects, one for each key.")
    keys = [_parse_key(entry, secret_key) for entry in entries]
    by_kid = {key.kid: key for key in keys}
    if len(by_kid) != len(keys):
        raise ConfigurationError("JWT_KEYS has two keys with the same kid.")
    chosen = signing_kid or keys[0].kid
    if chosen not in by_kid:
        raise ConfigurationError(f"JWT_SIGNING_KID names {chosen!r}, which JWT_KEYS does not have.")
    if must_sign and by_kid[chosen].signing is None:
        raise ConfigurationError(f"JWT_KEYS: {chosen!r} signs new tokens and so needs private_key.")
    if not must_sign and not secret_key and (able := [key.kid for key in keys if key.signing is not None]):
        raise ConfigurationError(
            f"JWT_KEYS: {able[0]!r} can sign tokens, but a ws process without SECRET_KEY only verifies them. "
            "Give it the public_key alone, of RS256 or EdDSA."
        )
    return by_kid, chosen if by_kid[chosen].signing is not None else None


def configured_keys(environment: Environment, *, must_sign: bool) -> tuple[Mapping[str, Key], str | None]:
    """Return the keys of the settings, as :func:`read_keys` does."""
    return read_keys(
        environment.jwt_keys, environment.jwt_signing_kid, environment.effective_secret_key, must_sign=must_sign
    )


def derived_secrets(keys: Mapping[str, Key], signing_kid: str | None, purpose: bytes) -> list[bytes]:
    """Return for each key a secret of 32 bytes that is good for one purpose; that of the signing key is first.

    A key without its private half has none: everybody may know the other half.
    """
    known = sorted(keys.values(), key=lambda key: key.kid != signing_kid)
    return [derived_secret(_private_bytes(key), purpose) for key in known if key.signing is not None]


def derived_secret(secret: bytes, purpose: bytes) -> bytes:
    """Return the secret of 32 bytes that follows from ``secret`` and is good for one purpose."""
    return hmac.digest(secret, purpose, "sha256")


def _private_bytes(key: Key) -> bytes:
    if isinstance(key.signing, bytes):
        return key.signing
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    encoded: bytes = key.signing.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return encoded
