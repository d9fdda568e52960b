"""Reads what a client sends when it connects: origin, credentials, ``since``. Pure functions over the ASGI scope."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

from hunarmitra.common.addresses import Network, client_address, forwarded_scheme, is_trusted, subscriber_of
from hunarmitra.common.origins import is_allowed, rejected_origins

SUBPROTOCOL: Final = "jwt"
_SINCE: Final = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Since:
    """The client's last seq; ``malformed`` if it sent something that is not a number."""

    seq: int | None = None
    malformed: bool = False


@dataclass(frozen=True, slots=True)
class Handshake:
    """``subprotocol`` must be selected even for a rejected client, or browsers fail the handshake."""

    token: str | None = field(repr=False)
    ticket: str | None = field(repr=False)
    subprotocol: str | None
    since: Since


def read_handshake(scope: Mapping[str, Any]) -> Handshake:
    """Read the handshake: a token in the query is preferred to one offered as a subprotocol, and that to a ticket."""
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
    """Return the first header of this name, which must be in lower case."""
    found = [value for key, value in scope.get("headers", ()) if key.lower() == name]
    return found[0].decode("latin-1") if found else None


def origin_is_allowed(scope: Mapping[str, Any], allowed: Collection[str], proxies: tuple[Network, ...]) -> bool:
    """Whether a page of this origin may open a connection; a rejected origin is logged.

    No ``Origin`` (native apps) is allowed; a present one must be listed or be this server's own host and port. Behind
    a trusted proxy that terminates TLS, the scheme is what ``X-Forwarded-Proto`` or ``Forwarded`` says.
    """
    origin = header(scope, b"origin")
    if origin is None:
        return True
    scheme = scope.get("scheme", "ws")
    peer = (scope.get("client") or ("", 0))[0]
    if is_trusted(peer, proxies):
        forwarded_proto, forwarded = header(scope, b"x-forwarded-proto"), header(scope, b"forwarded")
        scheme = forwarded_scheme(forwarded_proto or "", forwarded or "") or scheme
    if is_allowed(origin, allowed=allowed, host=header(scope, b"host"), scheme=scheme):
        return True
    rejected_origins.log(origin)
    return False


def address_of(scope: Mapping[str, Any], proxies: tuple[Network, ...]) -> str:
    """Return the address that failed handshakes count against, as REST's limits count."""
    peer = (scope.get("client") or ("", 0))[0]
    forwarded_for, forwarded = header(scope, b"x-forwarded-for") or "", header(scope, b"forwarded") or ""
    return subscriber_of(client_address(peer, forwarded_for, proxies, forwarded=forwarded))
