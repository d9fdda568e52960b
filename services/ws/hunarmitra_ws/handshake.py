"""What a client says when it connects: origin, credentials, ``since``. Pure functions over the ASGI scope."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from hunarmitra.common.addresses import Network, client_address, is_trusted, subscriber_of

SUBPROTOCOL: Final = "jwt"
_SINCE: Final = re.compile(r"[0-9]{1,18}")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Since:
    """``seq`` to resume after; None with ``malformed`` when the client sent something that is no number."""

    seq: int | None = None
    malformed: bool = False


@dataclass(frozen=True, slots=True)
class Handshake:
    """``subprotocol`` must be selected even when the client is turned away, or browsers fail the handshake."""

    token: str | None = field(repr=False)
    ticket: str | None = field(repr=False)
    subprotocol: str | None
    since: Since


def read_handshake(scope: Mapping[str, Any]) -> Handshake:
    """A token in the query wins over one offered as a subprotocol, and that over a ticket."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    offered = list(scope.get("subprotocols") or ())
    token = _first(query, "token")
    if token is None and len(offered) == 2 and offered[0] == SUBPROTOCOL:
        token = offered[1]
    return Handshake(
        token=token,
        ticket=_first(query, "ticket"),
        subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None,
        since=read_since(_first(query, "since")),
    )


def read_since(text: str | None) -> Since:
    if text is None:
        return Since()
    return Since(seq=int(text)) if _SINCE.fullmatch(text) else Since(malformed=True)


def _first(query: Mapping[str, list[str]], name: str) -> str | None:
    values = query.get(name)
    return values[0] if values else None


def header(scope: Mapping[str, Any], name: bytes) -> str | None:
    """The first of this name, which is in lower case."""
    found = [value for key, value in scope.get("headers", ()) if key.lower() == name]
    return found[0].decode("latin-1") if found else None


def origin_is_allowed(scope: Mapping[str, Any], allowed: Iterable[str], proxies: tuple[Network, ...]) -> bool:
    """No ``Origin`` (native apps) is allowed; a present one must be listed or be this server's own host and port.

    Behind a trusted proxy that ends TLS, the scheme is what ``X-Forwarded-Proto`` says.
    """
    origin = header(scope, b"origin")
    if origin is None:
        return True
    origin = origin.lower()
    if origin in allowed:
        return True
    host = header(scope, b"host")
    if host is None:
        return False
    scheme = scope.get("scheme", "ws")
    peer = (scope.get("client") or ("", 0))[0]
    if is_trusted(peer, proxies):
        scheme = header(scope, b"x-forwarded-proto") or scheme
    try:
        parts = urlsplit(origin)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            return False
        own = urlsplit(f"//{host.lower()}")
        own_port = own.port or _DEFAULT_PORTS.get(scheme, 80)
        return (parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]) == (own.hostname, own_port)
    except ValueError:
        return False


def address_of(scope: Mapping[str, Any], proxies: tuple[Network, ...]) -> str:
    """Whom failed handshakes count against, as REST's limits count."""
    peer = (scope.get("client") or ("", 0))[0]
    return subscriber_of(client_address(peer, header(scope, b"x-forwarded-for") or "", proxies))
