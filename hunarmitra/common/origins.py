"""Origins of web pages: which page may call this server from a browser (RFC 6454).

REST (CORS) and the WebSocket handshake decide with the same functions.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from typing import Final, NamedTuple

from hunarmitra.common.first_seen import FirstSeen

logger = logging.getLogger(__name__)

_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_HOST: Final = re.compile(r"(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}

MOST_LOGGED: Final = 100
"""Distinct rejected origins that are logged: a client can invent any number of them."""


class Origin(NamedTuple):
    """``port`` is the scheme's default where none was given; None for a scheme without a default, as an app's."""

    scheme: str
    host: str
    port: int | None

    def __str__(self) -> str:
        """Spelled as browsers spell it: without the default port."""
        own_port = "" if self.port == _DEFAULT_PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{self.host}{own_port}"


def parse_origin(text: str) -> Origin | None:
    """Read ``scheme://host[:port]`` in any case. Return None for anything else, and so for ``null``."""
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        return None
    scheme = match["scheme"]
    port = int(match["port"]) if match["port"] else _DEFAULT_PORTS.get(scheme)
    if port is not None and not 0 < port < 65536:
        return None
    return Origin(scheme, match["host"], port)


def is_allowed(origin: str, *, allowed: Collection[str], host: str | None, scheme: str) -> bool:
    """Whether a page of this origin may call the server.

    The origin must be in ``allowed`` (normalized by :class:`Origin`), or have the server's own host and port, which
    are those of the ``Host`` header and of ``scheme``.
    """
    parsed = parse_origin(origin)
    if parsed is None:
        return False
    if str(parsed) in allowed:
        return True
    own = _HOST.fullmatch((host or "").lower())
    if own is None or parsed.scheme not in _DEFAULT_PORTS:
        return False
    own_port = int(own["port"]) if own["port"] else _DEFAULT_PORTS.get(scheme, 80)
    return (parsed.host, parsed.port) == (own["host"], own_port)


class RejectedOrigins:
    """Logs each rejected origin once, and names the setting that would allow it."""

    def __init__(self) -> None:
        self._seen = FirstSeen(MOST_LOGGED)

    def log(self, origin: str) -> None:
        """Log the origin unless it was logged before. The text is quoted: it comes from a client."""
        number = self._seen.add(origin)
        if not number:
            return
        if parse_origin(origin) is None:
            logger.warning("rejected the origin %.200r: only scheme://host[:port] can be allowed", origin)
        else:
            logger.warning("rejected the origin %.200r; to allow it, add it to ALLOWED_ORIGINS", origin)
        if number == MOST_LOGGED:
            logger.warning("rejected %d different origins; further ones are not logged", MOST_LOGGED)


rejected_origins: Final = RejectedOrigins()
