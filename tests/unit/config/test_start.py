"""Settings that stop the start of a process, and settings that it warns about."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from django.apps import apps

from hunarmitra.accounts.tokens import token_backend
from hunarmitra.config.checks import (
    check_database_pool,
    check_secret_key,
    check_transport_security,
    chosen_services,
)
from hunarmitra.config.declaration import ConfigurationError
from hunarmitra.config.environment import Environment
from hunarmitra.config.misspelt import misspelt, warn_of_misspelt_settings
from hunarmitra.config.reading import read_environment
from tests.support.surroundings import REPOSITORY, clean_environment

SECRET = "a-long-random-secret-of-this-test-0123456789"


def read(**variables: str) -> Environment:
    return read_environment({"SECRET_KEY": SECRET, **variables})


def start(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=REPOSITORY,
        env=clean_environment(variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_wrong_value_stops_the_start_in_one_line() -> None:
    """This is one real start. Other tests call the same checks in this process."""
    result = start(SECRET_KEY=SECRET, JWT_KEYS="[]")
    assert result.returncode != 0
    assert result.stderr.startswith("hunarmitra cannot start: JWT_KEYS")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("WS_HEARTBEAT", "often"),
        ("JWT_KEYS", "[]"),
        ("JWT_SIGNING_KID", "unheard-of"),
        ("ETA_ESTIMATOR", "hunarmitra.tracking.eta.nothing"),
    ],
)
def test_what_stops_the_start_says_which_setting_is_wrong(name: str, value: str, settings: Any) -> None:
    def begin() -> None:
        settings.ENVIRONMENT = read(**{name: value})
        token_backend.cache_clear()
        for app in ("accounts", "tracking"):
            apps.get_app_config(app).ready()

    with pytest.raises((ConfigurationError, SystemExit)) as caught:
        begin()
    sentence = str(caught.value).removeprefix("hunarmitra cannot start: ")
    assert name in sentence
    assert len(sentence.splitlines()) == 1


@pytest.fixture(autouse=True)
def _own_keys() -> Iterator[None]:
    """Read the keys of this process again after a test that replaced them."""
    yield
    token_backend.cache_clear()


@pytest.mark.parametrize(
    ("variables", "needed"),
    [
        ({"SERVICES": "ws", "REDIS_URL": "redis://127.0.0.1:6379/0"}, 17),
        ({"SERVICES": "ws"}, 18),  # and the relay
        ({"SERVICES": "http,ws"}, 19),  # and requests
        ({"SERVICES": "http"}, 0),
    ],
)
def test_a_pool_too_small_for_the_threads_of_the_connections_stops_the_start(
    variables: dict[str, str], needed: int
) -> None:
    """A thread without a database connection would reject each of its clients after five seconds."""
    given = {"DATABASE_URL": "postgresql://127.0.0.1:1/none", "WS_DATABASE_THREADS": "16", **variables}
    too_small = read(**given, DATABASE_POOL_MAX=str(max(1, needed - 1)))
    enough = read(**given, DATABASE_POOL_MAX=str(max(1, needed)))
    check_database_pool(enough, enough.services)
    if not needed:
        check_database_pool(too_small, too_small.services)
        return
    with pytest.raises(ConfigurationError, match=rf"^DATABASE_POOL_MAX .* needs {needed} connections\.$"):
        check_database_pool(too_small, too_small.services)


def test_sqlite_needs_no_pool() -> None:
    check_database_pool(read(DATABASE_POOL_MAX="1", WS_DATABASE_THREADS="16"), ("http", "ws"))


def test_a_service_that_is_not_installed_stops_the_start() -> None:
    assert chosen_services(read(SERVICES="ws"), ("http", "ws")) == ("ws",)
    assert chosen_services(read(), ("http",)) == ("http",)
    with pytest.raises(ConfigurationError, match=r"^SERVICES names ws, which is not installed here\.$"):
        chosen_services(read(SERVICES="http,ws"), ("http",))


PUBLIC = {"JWT_KEYS": "[]", "MESSAGE_KEYS": f'["{SECRET}"]'}


@pytest.mark.parametrize("services", ["http", "http,ws"])
def test_only_a_process_that_serves_ws_alone_starts_without_a_secret_key(services: str) -> None:
    check_secret_key(read_environment({"SERVICES": "ws", **PUBLIC}), ("ws",))
    check_secret_key(read(SERVICES=services), services.split(","))
    with pytest.raises(ConfigurationError, match=r"^SECRET_KEY is not set, but this process serves http"):
        check_secret_key(read_environment({"SERVICES": services, **PUBLIC}), services.split(","))


@pytest.mark.parametrize("missing", ["JWT_KEYS", "MESSAGE_KEYS"])
def test_without_a_secret_key_both_other_keys_are_needed(missing: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"JWT_KEYS \(public keys suffice\) and MESSAGE_KEYS, or SECRET_KEY\.$"
    ):
        read_environment({"SERVICES": "ws", **PUBLIC, missing: ""})


def test_without_a_secret_key_no_other_process_can_know_a_key() -> None:
    assert read_environment({"SERVICES": "ws", **PUBLIC}).effective_secret_key == ""


# ── misspelt settings ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ALOWED_ORIGINS", "ALLOWED_ORIGINS"),
        ("ALLOWED_ORIGIN", "ALLOWED_ORIGINS"),
        ("allowed_origins", "ALLOWED_ORIGINS"),
        ("REDISURL", "REDIS_URL"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("SECRET_KEY_FIL", "SECRET_KEY_FILE"),
        ("WS_HARTBEAT", "WS_HEARTBEAT"),
    ],
)
def test_a_misspelt_setting_is_found(name: str, meant: str) -> None:
    assert misspelt([name, meant, "PATH", "HOME", "KUBERNETES_SERVICE_PORT", "HUNARMITRA_WS_PORT"]) == {name: meant}


def test_no_setting_is_taken_for_another() -> None:
    assert misspelt(item.name.upper() for item in fields(Environment)) == {}
    assert misspelt(f"{item.name.upper()}_FILE" for item in fields(Environment) if item.metadata["secret"]) == {}


def test_a_misspelt_setting_is_warned_of(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("ALOWED_ORIGINS", "https://app.example.org")
    warn_of_misspelt_settings()
    assert "the environment has ALOWED_ORIGINS, which is not a setting; did you mean ALLOWED_ORIGINS?" in caplog.text
    assert "app.example.org" not in caplog.text


@pytest.mark.parametrize(
    ("variables", "right"),
    [
        ({}, True),
        ({"HSTS_INCLUDE_SUBDOMAINS": "1"}, True),
        ({"HSTS_PRELOAD": "1"}, False),
        ({"HSTS_PRELOAD": "1", "HSTS_INCLUDE_SUBDOMAINS": "1"}, True),
        ({"HSTS_PRELOAD": "1", "HSTS_INCLUDE_SUBDOMAINS": "1", "HSTS_SECONDS": "31535999"}, False),
        ({"HSTS_PRELOAD": "1", "HSTS_INCLUDE_SUBDOMAINS": "1", "DEBUG": "1"}, False),
    ],
    ids=str,
)
def test_preload_needs_what_the_browsers_list_demands(variables: dict[str, str], right: bool) -> None:
    environment = read(**variables)
    if right:
        check_transport_security(environment)
    else:
        with pytest.raises(ConfigurationError, match=r"^HSTS_PRELOAD needs HSTS_INCLUDE_SUBDOMAINS"):
            check_transport_security(environment)
