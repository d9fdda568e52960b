"""Options that would cut clients off, or need too many open files, stop the start with a message."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hunarmitra_ws.server.options import ServerOptions, ServerOptionsError

OPTIONS = ServerOptions(
    max_connections=100,
    unauthenticated_connections=50,
    unauthenticated_per_address=10,
    connects_per_second=10,
    connect_burst=10,
    concurrent_replays=10,
    drain_settle=3,
    drain_window=20,
    grace=30,
    close_timeout=10,
    shed_min_age=60,
    admin_host="127.0.0.1",
    admin_port=0,
    control_host="127.0.0.1",
    control_port=0,
    control_token_file="",
)


def test_good_options_pass() -> None:
    OPTIONS.check()


def test_a_grace_shorter_than_the_drain_is_refused() -> None:
    with pytest.raises(ServerOptionsError, match=r"WS_GRACE \(20 s\) must be at least .* \(23 s\)"):
        replace(OPTIONS, grace=20).check()


def test_a_cap_above_the_open_file_limit_is_refused() -> None:
    with pytest.raises(ServerOptionsError, match="lower WS_MAX_CONNECTIONS"):
        replace(OPTIONS, max_connections=100_000_000).check()


def test_a_missing_token_file_is_refused() -> None:
    with pytest.raises(ServerOptionsError, match="WS_CONTROL_TOKEN_FILE"):
        replace(OPTIONS, control_token_file="/nowhere/token").check()


def test_two_tokens_are_valid_during_a_rotation(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("new\nold\nolder\n")
    assert replace(OPTIONS, control_token_file=str(file)).tokens() == ("new", "old")
