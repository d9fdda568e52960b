"""Sign the messages on Redis, so that only this installation's processes can tell clients something.

Otherwise everybody who may PUBLISH on Redis could show a forged status. A message is the msgpack map of its body. Its
last entry, :data:`SIGNATURE`, is HMAC-SHA256 over the channel's name, a zero byte, and the bytes of the map that stand
in front of the signature. The channel's name is included, so that a message cannot be repeated on another channel.

The keys are derived from ``MESSAGE_KEYS``: the first signs, all verify. Without it the key that signs tokens signs. The
keys of tokens verify in both cases, where the process has them. So a change of keys that keeps tokens valid also keeps
messages valid, and a first MESSAGE_KEYS does not make messages of older processes unsigned.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgpack

from hunarmitra.config.environment import Environment
from hunarmitra.config.key_ring import configured_keys, derived_secret, derived_secrets

SIGNATURE: Final = "hunarmitra.signature"
"""The key of the signature in the map. A body cannot use it."""

PURPOSE: Final = b"hunarmitra.messages"
_SIZE: Final = hashlib.sha256().digest_size
_PLACE: Final = bytes(_SIZE)
_BLOCK: Final = hashlib.sha256().block_size


class UnsignedMessageError(Exception):
    """No key of this installation has signed the bytes for this channel."""


class _Secret:
    """HMAC-SHA256 (RFC 2104) with the key's two blocks hashed once: less than half the time of ``hmac.digest``."""

    def __init__(self, secret: bytes) -> None:
        block = secret.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def sign(self, data: bytes) -> bytes:
        inner = self._inner.copy()
        inner.update(data)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()


class MessageSigner:
    """The first of ``secrets``, of 32 bytes each, signs; all verify."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = [_Secret(secret) for secret in secrets]
        self._signing = self._secrets[0]

    def pack(self, channel: str, body: Mapping[str, Any]) -> bytes:
        """Encode and sign. Raises TypeError, ValueError or OverflowError for what msgpack cannot encode."""
        unsigned = {key: value for key, value in body.items() if key != SIGNATURE} if SIGNATURE in body else body
        packed: bytes = msgpack.packb({**unsigned, SIGNATURE: _PLACE})
        signed = packed[:-_SIZE]
        return signed + self._signing.sign(_bound(channel, signed))

    def unpack(self, channel: str, data: bytes) -> dict[str, Any]:
        """Verify and decode; nothing is decoded before it is verified. Raises :class:`UnsignedMessageError`."""
        bound, signature = _bound(channel, data[:-_SIZE]), data[-_SIZE:]
        for secret in self._secrets:
            if hmac.compare_digest(secret.sign(bound), signature):
                break
        else:
            raise UnsignedMessageError
        body: dict[str, Any] = msgpack.unpackb(data)
        del body[SIGNATURE]
        return body


def _bound(channel: str, signed: bytes) -> bytes:
    return b"%b\0%b" % (channel.encode(), signed)


@cache
def message_signer() -> MessageSigner:
    """Return the signer of this process, made from its settings."""
    from django.conf import settings

    return MessageSigner(message_secrets(settings.ENVIRONMENT, must_sign=settings.SERVES_HTTP))


def message_secrets(environment: Environment, *, must_sign: bool) -> list[bytes]:
    """Return the secrets of messages: those of ``MESSAGE_KEYS``, then those that follow from the keys of tokens."""
    ring = configured_keys(environment, must_sign=must_sign)
    own = [derived_secret(key.encode(), PURPOSE) for key in environment.message_keys]
    return own + derived_secrets(*ring, PURPOSE)
