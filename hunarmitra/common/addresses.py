"""Whose address a request came from, when reverse proxies stand between.

``X-Forwarded-For`` is written by anyone; only entries appended by proxies that the operator named may be
believed. So the list is walked from its right end and the first address that is no trusted proxy wins.
(daphne's ``--proxy-headers`` takes the leftmost entry, which every client can forge.)
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

IPV6_SUBSCRIBER_PREFIX: Final = 64
"""Bits: one customer of a provider has at least a /64, and so any number of addresses."""


class InvalidNetworkError(ValueError):
    """A text that is neither an address nor a CIDR network."""


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and CIDR networks. Raises :class:`InvalidNetworkError` naming the wrong one."""
    networks = []
    for text in texts:
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError:
            raise InvalidNetworkError(f"has {text!r}, which is neither an address nor a CIDR network") from None
    return tuple(networks)


def is_trusted(address: str, proxies: Iterable[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in proxies)


def client_address(peer: str, forwarded_for: str, proxies: tuple[Network, ...]) -> str:
    """The nearest address that is not a trusted proxy: ``peer`` itself unless it is one."""
    if not proxies or not is_trusted(peer, proxies):
        return peer
    nearest = peer
    for entry in reversed([item.strip() for item in forwarded_for.split(",") if item.strip()]):
        try:
            nearest = str(ip_address(entry))
        except ValueError:
            return nearest
        if not is_trusted(nearest, proxies):
            return nearest
    return nearest


def subscriber_of(address: str) -> str:
    """What limits by address count by: the address itself, of IPv6 the subscriber's network."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((int(parsed), IPV6_SUBSCRIBER_PREFIX), strict=False))
