"""Allowed origins, and the log lines of rejected ones."""

from __future__ import annotations

import logging

import pytest

from hunarmitra.common.origins import MOST_LOGGED, Origin, RejectedOrigins, is_allowed, parse_origin

ALLOWED = {"https://app.example.org", "capacitor://localhost", "https://[2001:db8::1]:8443"}


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://app.example.org", Origin("https", "app.example.org", 443)),
        ("HTTP://App.Example.org:8000", Origin("http", "app.example.org", 8000)),
        ("capacitor://localhost", Origin("capacitor", "localhost", None)),
        ("tauri://localhost:1420", Origin("tauri", "localhost", 1420)),
        ("http://[::1]", Origin("http", "[::1]", 80)),
    ],
)
def test_an_origin_is_scheme_host_and_port(text: str, origin: Origin) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "",
        "*",
        "app.example.org",
        "//app.example.org",
        "https://",
        "https:app.example.org",
        "https://user@app.example.org",
        "https://user:password@app.example.org",
        "https://app.example.org/",
        "https://app.example.org/path",
        "https://app.example.org?x=1",
        "https://app.example.org#top",
        "https://app.example.org:",
        "https://app.example.org:0",
        "https://app.example.org:65536",
        "https://app.example.org:8o",
        "https://app.example.org\\@evil.example",
        "https://app.example.org evil.example",
        " https://app.example.org",
        "https://app.example.org\n",
        "https://[::1",
        "1https://app.example.org",
    ],
)
def test_anything_else_is_not_an_origin(text: str) -> None:
    assert parse_origin(text) is None
    assert not is_allowed(text, allowed=ALLOWED | {text}, host="app.example.org", scheme="https")


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "allowed"),
    [
        ("https://app.example.org", None, "https", True),
        ("https://APP.example.org:443", "api.example.org", "https", True),
        ("http://app.example.org", "api.example.org", "https", False),
        ("capacitor://localhost", "api.example.org", "https", True),
        ("ionic://localhost", "api.example.org", "https", False),
        ("ionic://localhost", "localhost", "http", False),
        ("https://[2001:DB8::1]:8443", "api.example.org", "https", True),
        ("https://api.example.org", "api.example.org", "https", True),
        ("https://api.example.org", "api.example.org:443", "http", True),
        ("https://api.example.org", "api.example.org", "http", False),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "ws", True),
        ("http://127.0.0.1:8000", "127.0.0.1:8001", "ws", False),
        ("http://127.0.0.1", "user@127.0.0.1", "ws", False),
        ("http://127.0.0.1", "127.0.0.1/", "ws", False),
    ],
)
def test_listed_origins_and_the_servers_own_are_allowed(
    origin: str, host: str | None, scheme: str, allowed: bool
) -> None:
    assert is_allowed(origin, allowed=ALLOWED, host=host, scheme=scheme) is allowed


def test_a_rejected_origin_is_logged_once_and_names_the_setting(caplog: pytest.LogCaptureFixture) -> None:
    rejected = RejectedOrigins()
    with caplog.at_level(logging.WARNING):
        for origin in ("https://app.example.org", "null", "https://app.example.org", "null"):
            rejected.log(origin)
    assert [record.getMessage() for record in caplog.records] == [
        "rejected the origin 'https://app.example.org'; to allow it, add it to ALLOWED_ORIGINS",
        "rejected the origin 'null': only scheme://host[:port] can be allowed",
    ]


def test_invented_origins_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    rejected = RejectedOrigins()
    with caplog.at_level(logging.WARNING):
        for number in range(3 * MOST_LOGGED):
            rejected.log(f"https://{number}.example.org\n" + "x" * 10_000)
    assert len(caplog.records) == MOST_LOGGED + 1
    assert "further ones are not logged" in caplog.text
    assert max(len(record.getMessage()) for record in caplog.records) < 300
    assert all(len(record.getMessage().splitlines()) == 1 for record in caplog.records)
