"""Which `Host` a WebSocket handshake may name."""

from __future__ import annotations

import pytest

from hunarmitra.common.hosts import MOST_KNOWN, HostRule


@pytest.mark.parametrize("host", ["api.example.org", "API.example.org:8000", "a.apps.example.org", "[::1]:8000"])
def test_listed_hosts_are_accepted_with_any_port(host: str) -> None:
    rule = HostRule(["api.example.org", ".apps.example.org", "[::1]"])
    assert rule.accepts(host)
    assert rule.accepts(host)


@pytest.mark.parametrize("host", [None, "", "evil.example", "api.example.org.evil.example", "10.0.0.1", "a b", "a@b:1"])
def test_other_hosts_are_rejected(host: str | None) -> None:
    assert not HostRule(["api.example.org"]).accepts(host)


def test_every_host_may_be_allowed() -> None:
    assert HostRule(["*"]).accepts("anything.example")


def test_without_a_list_only_localhost_is_accepted_and_only_while_debugging() -> None:
    assert HostRule([], debug=True).accepts("localhost:8000")
    assert not HostRule([], debug=True).accepts("api.example.org")
    assert not HostRule([]).accepts("localhost")


def test_each_rejected_host_is_logged_once_and_their_number_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    rule = HostRule(["api.example.org"])
    for number in (*range(MOST_KNOWN), 0, MOST_KNOWN + 1):
        rule.accepts(f"{number}.evil.example")
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "rejected the host '0.evil.example'; if clients may use this name, add it to ALLOWED_HOSTS"
    assert len(lines) == MOST_KNOWN + 1
    assert lines[-1] == "rejected 100 different hosts; further ones are not logged"
