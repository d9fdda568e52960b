"""Address and scheme of a client behind reverse proxies.

Any client can send ``X-Forwarded-For``; only entries that proxies named by the operator appended can be believed. So
the list is read from its right end, and the first address that is not a trusted proxy is the client's. (daphne's
``--proxy-headers`` takes the leftmost entry, which every client can forge.) ``Forwarded`` (RFC 7239) is read the same
way, where ``X-Forwarded-For`` is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

IPV6_SUBSCRIBER_PREFIX: Final = 64
"""Bits. A provider gives each customer at least a /64, and so any number of addresses."""

LONGEST_ADDRESS: Final = 64
"""Characters: 45 of an IPv6 address, and its zone. Longer texts are no addresses."""

_WITH_PORT: Final = re.compile(r"\[(?P<v6>[^\]]*)\](?::\w*)?|(?P<v4>[0-9.]+):\w*")
_SCHEMES: Final = {"https": "https", "wss": "https", "http": "http", "ws": "http"}


class InvalidNetworkError(ValueError):
    """A text that is neither an address nor a CIDR network."""


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Parse addresses and CIDR networks. Raises :class:`InvalidNetworkError` naming the wrong one."""
    networks = []
    for text in texts:
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError:
            raise InvalidNetworkError(f"has {text!r}, which is neither an address nor a CIDR network") from None
    return tuple(networks)


def is_trusted(address: str, proxies: Iterable[Network]) -> bool:
    """Whether the address belongs to a trusted proxy."""
    parsed = _parsed(address)
    if parsed is None:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in proxies)


def client_address(peer: str, forwarded_for: str, proxies: tuple[Network, ...], *, forwarded: str = "") -> str:
    """Return the nearest address that is not a trusted proxy: ``peer`` itself, unless it is one.

    ``forwarded_for`` is the value of ``X-Forwarded-For``, ``forwarded`` the value of ``Forwarded``. The second counts
    only without the first: a proxy that writes one of them passes the other on as the client sent it.
    """
    if not proxies or not is_trusted(peer, proxies):
        return peer
    entries = [item for item in forwarded_for.split(",") if item.strip()] or list(_parameters(forwarded, "for"))
    nearest = peer
    for entry in reversed(entries):
        parsed = _parsed(_without_port(entry.strip()))
        if parsed is None:
            return nearest
        nearest = str(parsed)
        if not is_trusted(nearest, proxies):
            return nearest
    return nearest


def forwarded_scheme(x_forwarded_proto: str, forwarded: str = "") -> str | None:
    """Return ``https`` or ``http`` as the proxy nearest to the client reports it, None where nothing usable does.

    That is the first entry of ``X-Forwarded-Proto``, in any case; ``wss`` counts as https. Without that header it is
    the first ``proto`` of ``Forwarded``. Call it only for requests of a trusted proxy.
    """
    if x_forwarded_proto.strip():
        return _SCHEMES.get(x_forwarded_proto.partition(",")[0].strip().lower())
    protocols = [value for value in _parameters(forwarded, "proto") if value]
    return _SCHEMES.get(protocols[0].lower()) if protocols else None


def subscriber_of(address: str) -> str:
    """Return what limits by address count by: an IPv4 address itself, of an IPv6 address its subscriber's network."""
    parsed = _parsed(address)
    if parsed is None or isinstance(parsed, IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((int(parsed), IPV6_SUBSCRIBER_PREFIX), strict=False))


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """Return None for anything but an address."""
    return _parsed_short(address) if len(address) <= LONGEST_ADDRESS else None


@lru_cache(maxsize=1024)
def _parsed_short(address: str) -> IPv4Address | IPv6Address | None:
    """Cached: each connect asks several times about its client and its proxy."""
    try:
        return ip_address(address)
    except ValueError:
        return None


def _without_port(entry: str) -> str:
    """Return the address of ``203.0.113.7:51234`` or ``[2001:db8::1]:443``; other texts as they are."""
    match = _WITH_PORT.fullmatch(entry)
    return entry if match is None else match["v6"] or match["v4"] or ""


def _parameters(forwarded: str, name: str) -> Iterator[str]:
    """Yield the parameter of each element of a ``Forwarded`` header, empty where it is missing.

    Elements are split at every comma, also within quotes. An address has none, and a client that sends an open quote
    must not hide what trusted proxies append behind it.
    """
    for element in forwarded.split(",") if forwarded else ():
        found = ""
        for pair in element.split(";"):
            key, _, value = pair.partition("=")
            if key.strip().lower() == name:
                found = value.strip().strip('"')
        yield found
