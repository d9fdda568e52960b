"""The handshake's input from the scope: credentials, ``since`` and the Origin rule."""

from __future__ import annotations

from typing import Any

import pytest

from hunarmitra.common.addresses import parse_networks
from hunarmitra_ws.handshake import Since, address_of, origin_is_allowed, read_handshake, read_since

PROXIES = parse_networks(["10.0.0.0/8"])


def _scope(query: str = "", **headers: str) -> dict[str, Any]:
    return {
        "query_string": query.encode(),
        "subprotocols": [item.strip() for item in headers.pop("protocols", "").split(",") if item],
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "scheme": "ws",
        "client": ("10.0.0.7", 1234),
    }


def test_the_query_wins_over_the_subprotocol_and_both_over_the_ticket() -> None:
    handshake = read_handshake(_scope("token=a&ticket=b", protocols="jwt, c"))
    assert (handshake.token, handshake.ticket, handshake.subprotocol) == ("a", "b", "jwt")
    assert read_handshake(_scope("ticket=b", protocols="jwt, c")).token == "c"
    assert read_handshake(_scope("ticket=b")).token is None


@pytest.mark.parametrize("offered", ["jwt", "jwt, a, b", "other, a", ""])
def test_what_is_no_pair_of_jwt_and_token_is_no_token(offered: str) -> None:
    handshake = read_handshake(_scope(protocols=offered))
    assert handshake.token is None
    assert handshake.subprotocol == ("jwt" if "jwt" in offered else None)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "1" * 19, "１", " 1", "+1"])
def test_a_since_that_is_no_number_is_malformed(text: str) -> None:
    assert read_since(text) == Since(malformed=True)


def test_since_is_read() -> None:
    assert read_since(None) == Since()
    assert read_since("0") == Since(seq=0)
    assert read_since("9" * 18) == Since(seq=10**18 - 1)


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("https://app.example.org", "api.example.org", True),
        ("https://APP.example.org", "api.example.org", True),
        ("http://api.example.org", "api.example.org", True),
        ("http://api.example.org:8000", "api.example.org:8000", True),
        ("http://api.example.org:8001", "api.example.org:8000", False),
        ("https://evil.example", "api.example.org", False),
        ("https://app.example.org.evil.example", "api.example.org", False),
        ("null", "api.example.org", False),
        ("", "api.example.org", False),
        ("http://[::1", "api.example.org", False),
    ],
)
def test_the_origin_rule(origin: str, host: str, allowed: bool) -> None:
    scope = _scope(origin=origin, host=host)
    assert origin_is_allowed(scope, {"https://app.example.org"}, ()) is allowed


def test_no_origin_is_allowed() -> None:
    assert origin_is_allowed(_scope(host="api.example.org"), (), ())


def test_behind_a_trusted_proxy_the_scheme_is_the_forwarded_one() -> None:
    scope = _scope(origin="https://api.example.org", host="api.example.org", x_forwarded_proto="https")
    assert origin_is_allowed(scope, (), PROXIES)
    assert not origin_is_allowed(scope, (), ())


@pytest.mark.parametrize("proto", ["https,http", "https, https", "HTTPS", "wss"])
def test_the_forwarded_scheme_is_read_as_rest_reads_it(proto: str) -> None:
    scope = _scope(origin="https://api.example.org", host="api.example.org", x_forwarded_proto=proto)
    assert origin_is_allowed(scope, (), PROXIES)
    scope = _scope(origin="https://api.example.org", host="api.example.org", forwarded="for=x;proto=https")
    assert origin_is_allowed(scope, (), PROXIES)


def test_failures_count_by_the_address_of_a_forwarded_header() -> None:
    assert address_of(_scope(forwarded='for="198.51.100.1:4711"'), PROXIES) == "198.51.100.1"


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("198.51.100.1:51234", "198.51.100.1"),
        ("[2001:db8::1]:443", "2001:db8::/64"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("x", "10.0.0.7"),
    ],
)
def test_failures_count_by_address_and_of_ipv6_by_the_subscribers_network(client: str, counted: str) -> None:
    assert address_of(_scope(x_forwarded_for=client), PROXIES) == counted
