"""Access tokens as clients present them: checked once in full, and recognized until they expire.

A phone sends the same token with each request and each reconnect for a quarter of an hour, and a full check is a fifth
of a connect. Of all that it checks, only the expiry can change while a process runs. Whether the session still
exists is a question to the database, every time.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from hunarmitra.accounts.keys import KeyRingBackend
from hunarmitra.accounts.tokens import AccessToken, Identity, identity_of, token_backend

MOST_KNOWN: Final = 10_000
"""Tokens that a process recognizes, at about 450 bytes each. Beyond that the oldest are forgotten and checked again."""


class KnownTokens:
    """Identities by the SHA-256 of their tokens: the tokens themselves are not kept. Usable from several threads.

    ``check`` returns the identity of a valid token or raises. ``leeway`` is in seconds after a token's expiry, and
    ``clock`` returns seconds since 1970.
    """

    def __init__(
        self,
        check: Callable[[str], Identity],
        leeway: float,
        *,
        most: int = MOST_KNOWN,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._check = check
        self._leeway = leeway
        self._most = most
        self._clock = clock
        self._identities: dict[bytes, Identity] = {}
        self._adding = threading.Lock()

    def identity(self, encoded: str) -> Identity:
        """Return the identity of a valid token. Raises what ``check`` raises."""
        digest = hashlib.sha256(encoded.encode(errors="replace")).digest()
        known = self._identities.get(digest)
        if known is not None and known.expires_at.timestamp() > self._clock() - self._leeway:
            return known
        identity = self._check(encoded)
        with self._adding:
            if len(self._identities) >= self._most:
                del self._identities[next(iter(self._identities))]
            self._identities[digest] = identity
        return identity


def read_access_token(encoded: str) -> Identity:
    """Check signature, type and expiry without any query. Raises TokenError."""
    return _known_tokens(token_backend()).identity(encoded)


@lru_cache(maxsize=1)
def _known_tokens(backend: KeyRingBackend) -> KnownTokens:
    """Those that this key ring has verified: another one knows none."""
    return KnownTokens(_checked, backend.get_leeway().total_seconds())


def _checked(encoded: str) -> Identity:
    return identity_of(AccessToken(encoded))  # type: ignore[arg-type]
