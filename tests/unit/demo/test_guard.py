"""The conditions for demo data and the development server, and the file of the passwords."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from hunarmitra.config.environment import Environment
from hunarmitra.demo import credentials, guard
from tests.support.ports import free_port


@pytest.mark.parametrize(
    ("debug", "demo", "allowed"), [(True, False, True), (False, True, True), (False, False, False)]
)
def test_demo_mode(settings: Any, debug: bool, demo: bool, allowed: bool) -> None:
    settings.ENVIRONMENT = Environment(debug=debug, demo=demo)
    if allowed:
        guard.require_demo_mode()
    else:
        with pytest.raises(CommandError, match=r"needs DEBUG=1 \(development\) or DEMO=1"):
            guard.require_demo_mode()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_a_loopback_host(host: str) -> None:
    guard.require_loopback(host)


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("0.0.0.0", "can be reached from other machines"),
        ("::", "can be reached from other machines"),
        ("192.0.2.1", "can be reached from other machines"),
        ("no-such-host.invalid", "is not an address of this machine"),
        ("a" * 300, "is not an address of this machine"),
    ],
)
def test_any_other_host(host: str, reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        guard.require_loopback(host)


def test_a_taken_port_is_named_with_the_way_out() -> None:
    port = free_port()
    guard.require_free_port("127.0.0.1", port)
    reason = rf"Port {port} on 127.0.0.1 .*make run PORT={port + 1}"
    with socket.create_server(("127.0.0.1", port)), pytest.raises(CommandError, match=reason):
        guard.require_free_port("127.0.0.1", port)
    guard.require_free_port("127.0.0.1", port)


# ── passwords ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "var" / credentials.FILE_NAME
    monkeypatch.setattr(credentials, "credentials_path", lambda: path)
    return path


def test_passwords_are_kept_for_the_owner_only(kept_in: Path) -> None:
    assert credentials.read_passwords() == {}
    assert credentials.keep_passwords({"demo-worker": "pw"})
    assert credentials.keep_passwords({"demo-worker": "pw2"})
    assert credentials.read_passwords() == {"demo-worker": "pw2"}
    assert kept_in.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in kept_in.parent.iterdir()] == [kept_in.name]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"demo-worker": 5}', "\x00"])
def test_a_damaged_file_counts_as_none(kept_in: Path, text: str) -> None:
    kept_in.parent.mkdir()
    kept_in.write_text(text)
    assert credentials.read_passwords() == {}


@pytest.mark.parametrize(
    "text", ["", "not JSON", "[]", "{}", '{"demo-worker": 5}', '{"demo-worker": "pw", "name": "shop"}']
)
def test_a_file_of_another_program_is_not_overwritten(kept_in: Path, text: str) -> None:
    kept_in.parent.mkdir()
    kept_in.write_text(text)
    assert not credentials.keep_passwords({"demo-worker": "pw", "demo-admin": "pw2"})
    assert kept_in.read_text() == text
    assert [path.name for path in kept_in.parent.iterdir()] == [kept_in.name]


def test_a_folder_that_cannot_be_written_is_no_error(kept_in: Path) -> None:
    kept_in.parent.write_text("a file where the folder should be")
    assert not credentials.keep_passwords({"demo-worker": "pw"})
    assert credentials.read_passwords() == {}


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(kept_in: Path) -> None:
    kept_in.mkdir(parents=True)
    assert not credentials.keep_passwords({"demo-worker": "pw"})
    assert [path.name for path in kept_in.parent.iterdir()] == [kept_in.name]
