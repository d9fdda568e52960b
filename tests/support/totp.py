"""Codes of an authenticator app (RFC 6238), written without the library that the server uses."""

from __future__ import annotations

import hashlib
import hmac
import struct
import time
from base64 import b32decode

STEP = 30


def totp(secret: str, *, at: float | None = None, steps: int = 0) -> str:
    """Return the code of a secret in base32, ``steps`` of 30 s after the moment ``at`` (now)."""
    moment = (time.time() if at is None else at) // STEP + steps
    key = b32decode(secret.replace(" ", ""))
    digest = hmac.new(key, struct.pack(">Q", int(moment)), hashlib.sha1).digest()
    begin = digest[-1] & 15
    number = struct.unpack(">I", digest[begin : begin + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"
