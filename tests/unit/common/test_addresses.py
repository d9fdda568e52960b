"""The client's address behind proxies."""

from __future__ import annotations

import pytest

from hunarmitra.common.addresses import (
    InvalidNetworkError,
    client_address,
    forwarded_scheme,
    is_trusted,
    parse_networks,
)

PROXIES = parse_networks(["10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "unknown, 198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, nonsense, 10.0.0.2", "10.0.0.2"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        # With ports and brackets, as Azure Application Gateway writes them.
        ("10.0.0.1", "203.0.113.7:51234", "203.0.113.7"),
        ("10.0.0.1", "1.2.3.4:5, 203.0.113.7:51234, 10.0.0.2:80", "203.0.113.7"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
        ("10.0.0.1", "198.51.100.1, [10.0.0.2", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, []:80", "10.0.0.1"),
        # Longer than an address with the name of any network interface.
        ("10.0.0.1", "fe80::1%eth0", "fe80::1%eth0"),
        ("10.0.0.1", f"fe80::1%{'x' * 64}", "10.0.0.1"),
    ],
)
def test_the_nearest_address_that_is_not_a_trusted_proxy(peer: str, forwarded_for: str, client: str) -> None:
    assert client_address(peer, forwarded_for, PROXIES) == client


@pytest.mark.parametrize(
    ("forwarded_for", "forwarded", "client"),
    [
        ("", "for=198.51.100.1", "198.51.100.1"),
        ("", "For=198.51.100.1;proto=https;by=10.0.0.2", "198.51.100.1"),
        ("", "proto=https ; for = 198.51.100.1", "198.51.100.1"),
        ("", 'for="198.51.100.1:4711"', "198.51.100.1"),
        ("", 'for="[2001:db8::7]:4711"', "2001:db8::7"),
        ("", 'for="[2001:db8::7]:_hidden"', "2001:db8::7"),
        ("", 'for=1.2.3.4, for=198.51.100.1;proto=http, for="10.0.0.3:80"', "198.51.100.1"),
        ("", "for=unknown", "10.0.0.1"),
        ("", "for=1.2.3.4, for=_secret, for=10.0.0.3", "10.0.0.3"),
        ("", "for=1.2.3.4, proto=https", "10.0.0.1"),
        ("", 'for="1.2.3.4, for=198.51.100.1', "198.51.100.1"),
        ("", "nonsense", "10.0.0.1"),
        ("203.0.113.7", "for=198.51.100.1", "203.0.113.7"),
        (" , ", "for=198.51.100.1", "198.51.100.1"),
    ],
)
def test_forwarded_counts_where_x_forwarded_for_is_missing(forwarded_for: str, forwarded: str, client: str) -> None:
    assert client_address("10.0.0.1", forwarded_for, PROXIES, forwarded=forwarded) == client
    assert client_address("203.0.113.9", forwarded_for, PROXIES, forwarded=forwarded) == "203.0.113.9"


@pytest.mark.parametrize(
    ("x_forwarded_proto", "forwarded", "scheme"),
    [
        ("https", "", "https"),
        ("HTTPS", "", "https"),
        ("https,http", "", "https"),
        ("https, https", "", "https"),
        ("http, https", "", "http"),
        ("wss", "", "https"),
        ("ws", "", "http"),
        (" Wss , http", "", "https"),
        ("gopher", "", None),
        (", https", "", None),
        ("", "", None),
        ("", "for=192.0.2.1;proto=https", "https"),
        ("", 'for=192.0.2.1;Proto="HTTPS", for=10.0.0.1;proto=http', "https"),
        ("", "for=192.0.2.1, for=10.0.0.1;proto=wss", "https"),
        ("", "for=192.0.2.1", None),
        ("http", "proto=https", "http"),
    ],
)
def test_the_scheme_that_a_proxy_reports(x_forwarded_proto: str, forwarded: str, scheme: str | None) -> None:
    assert forwarded_scheme(x_forwarded_proto, forwarded) == scheme


def test_without_trusted_proxies_the_header_says_nothing() -> None:
    assert client_address("10.0.0.1", "198.51.100.1", ()) == "10.0.0.1"


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.255.0.1", True),
        ("11.0.0.1", False),
        ("::ffff:10.0.0.1", True),
        ("fd12::1", True),
        ("", False),
        ("x", False),
    ],
)
def test_is_trusted(address: str, trusted: bool) -> None:
    assert is_trusted(address, PROXIES) is trusted


def test_networks_are_parsed_with_or_without_a_prefix() -> None:
    assert [str(network) for network in parse_networks(["10.1.2.3/8", "192.0.2.1", "::1"])] == [
        "10.0.0.0/8",
        "192.0.2.1/32",
        "::1/128",
    ]
    with pytest.raises(InvalidNetworkError, match=r"has 'proxy', which is neither"):
        parse_networks(["10.0.0.1", "proxy"])
