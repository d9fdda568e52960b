"""Reading the environment: accepted values, and the error message of a wrong one."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunarmitra.config import reading as module
from hunarmitra.config.database_url import DatabaseTarget
from hunarmitra.config.declaration import DEVELOPMENT_SECRET, ConfigurationError
from hunarmitra.config.environment import Environment
from hunarmitra.config.reading import process_environment, read_environment

SECRET = "a-long-random-secret-of-this-test-0123456789"
SECRETS = {item.name.upper() for item in fields(Environment) if item.metadata["secret"]}

# Any text can be a secret key, a host name, a dotted path or a file name. These are checked where they are used.
ANY_TEXT = {
    "SECRET_KEY",
    "ALLOWED_HOSTS",
    "ADMIN_HOSTS",
    "ETA_ESTIMATOR",
    "MAP_ATTRIBUTION",
    "JWT_KEYS",
    "JWT_SIGNING_KID",
    "JWT_ISSUER",
    "JWT_AUDIENCE",
    "OTEL_SERVICE_NAME",
    "METRICS_HOST",
    "WS_ADMIN_HOST",
    "WS_CONTROL_HOST",
    "WS_CONTROL_TOKEN_FILE",
}

WRONG = {
    "DEBUG": ["maybe", "2", "tru"],
    "DEMO": ["maybe"],
    "PORT": ["0", "65536", "http", "80.5", "tcp://10.0.0.1:80"],
    "ALLOWED_ORIGINS": [
        "app.example.org",
        "https://app.example.org/",
        "https://app.example.org?x=1",
        "https://app.example.org#top",
        "https://user@app.example.org",
        "https://app.example.org:port",
        "https://app.example.org:0",
        "https://app.example.org:65536",
        "https://app example.org",
        "null",
        "https://",
        "https://ok.example.org,*",
    ],
    "MESSAGE_KEYS": [
        "{",
        "{}",
        "[]",
        '"abc"',
        "[5]",
        '["hunter2"]',
        '["' + "a" * 32 + '", "b"]',
        "[" * 10**5,
        '["' + "a" * 32 + '\\ud800"]',
    ],
    "TRUSTED_PROXIES": ["10.0.0.0/33", "proxy.example.org", "10.0.0.1,nowhere", "0.0.0.0/0", "::/0", "10.0.0.0/7"],
    "SERVICES": ["operator", "http,operator", ","],
    "LOG_LEVEL": ["LOUD", "info", "10"],
    "LOG_FORMAT": ["JSON", "logfmt"],
    "DATABASE_URL": ["mysql://h/n", "sqlite://", "postgresql://h:port/n", "postgresql://h/", "n"],
    "DATABASE_MAX_LIFETIME": ["9", "86401", "an hour"],
    "DATABASE_ANSWER_TIMEOUT": ["0.5", "3601", "soon"],
    "DATABASE_POOL_MAX": ["0", "1001", "many"],
    "REDIS_URL": [
        "http://h:6379",
        "redis://",
        "redis://h:port",
        "redis://h/name",
        "redis+sentinel://s1:26379",
    ],
    "REDIS_PUBLISH_TIMEOUT": ["0", "6", "soon", "nan", "inf", "-inf"],
    "RELAY_IN_PROCESS": ["auto"],
    "JWT_ACCESS_LIFETIME": ["4", "86401", "5m"],
    "JWT_REFRESH_LIFETIME": ["59", "31536001", "7d"],
    "SESSION_LIFETIME": ["59", "315360001"],
    "JWT_REFRESH_GRACE": ["-1", "301", "30s"],
    "JWT_LEEWAY": ["-1", "301", "none"],
    "TICKET_LIFETIME": ["0", "301"],
    "DEMO_PAGE": ["maybe"],
    "MAP_TILE_URL": [
        "tiles.example.org/{z}/{x}/{y}.png",
        "https://tiles.example.org/{z}/{x}.png",
        "https://tiles.example.org",
        "https://t.example.org; script-src */{z}/{x}/{y}",
        "ftp://tiles.example.org/{z}/{x}/{y}.png",
    ],
    "TRACKING_MIN_INTERVAL": ["-0.1", "61"],
    "TRACKING_UNWATCHED_INTERVAL": ["-1", "15.1"],
    "WS_HANDSHAKE_TIMEOUT": ["-1", "soon"],
    "WS_UNAUTHENTICATED_CONNECTIONS": ["0", "1000001", "many"],
    "WS_UNAUTHENTICATED_PER_ADDRESS": ["0", "1000001", "many"],
    "WS_REPLAYED_EVENTS_PER_MINUTE": ["99", "1000000001", "all"],
    "WS_LOCATION_BATCH_MS": ["-1", "1001", "2.5"],
    "WS_PING_INTERVAL": ["-1", "soon"],
    "WS_PING_TIMEOUT": ["-1", "soon"],
    "DATABASE_PREPARED_STATEMENTS": ["maybe"],
    "TRACKING_MAX_FUTURE": ["-1", "3601"],
    "REQUEST_MAX_BYTES": ["1023", "64k"],
    "THROTTLE_USER_PER_HOUR": ["0", "1000/h"],
    "THROTTLE_WRITES_PER_MINUTE": ["0", "all"],
    "THROTTLE_FAILURES_PER_MINUTE": ["0", "none"],
    "BOOKINGS_OPEN_MAX": ["-1", "many"],
    "THROTTLE_AUTH_PER_MINUTE": ["0"],
    "THROTTLE_LOGIN_PER_MINUTE": ["0"],
    "THROTTLE_LOGIN_DELAY_MAX": ["0.5", "86401"],
    "THROTTLE_LOGIN_NAME_PER_HOUR": ["0"],
    "LOGIN_DEVICE_LIFETIME": ["-1"],
    "ADMIN_SECOND_FACTOR": ["on", "1", "Required"],
    "WEB_CONCURRENCY": ["0", "auto"],
    "WEB_THREADS": ["0", "auto"],
    "ACK_SAMPLE_RATE": ["-0.1", "1.1", "nan", "some"],
    "HSTS_SECONDS": ["-1", "315360001", "a year"],
    "HSTS_INCLUDE_SUBDOMAINS": ["maybe"],
    "HSTS_PRELOAD": ["maybe"],
    "HTTP_HEADER_TIMEOUT": ["0", "301", "soon"],
    "HTTP_BODY_TIMEOUT": ["0", "3601", "soon"],
    "HTTP_SEND_TIMEOUT": ["0", "3601", "soon"],
    "HTTP_MAX_CONNECTIONS": ["15", "100001", "many"],
    "HTTP_HEADER_MAX_BYTES": ["8191", "262145", "32k"],
    "HTTP_SEND_BUFFER_BYTES": ["1048575", "1073741825", "32M"],
    "HTTP_ADMIN_PORT": ["-1", "65536", "admin"],
    "METRICS_PORT": ["-1", "65536", "metrics"],
    "WS_SOCKETS_PER_USER": ["0"],
    "WS_SUBSCRIPTIONS": ["0", "many"],
    "WS_SUBSCRIPTIONS_STAFF": ["0", "many"],
    "WS_FAILED_HANDSHAKES_PER_MINUTE": ["0"],
    "WS_MESSAGE_MAX_BYTES": ["127", "1048577"],
    "WS_MESSAGES_PER_SECOND": ["0", "fast"],
    "WS_MESSAGE_BURST": ["0"],
    "WS_FLOOD_WAIT": ["-1", "3601", "long"],
    "WS_SEND_BUFFER_BYTES": ["4095"],
    "WS_HEARTBEAT": ["0", "301"],
    "WS_REPLAY_PAGE_EVENTS": ["0"],
    "WS_DATABASE_THREADS": ["0", "65"],
    "WS_MAX_CONNECTIONS": ["0", "1000001"],
    "WS_CONNECTS_PER_SECOND": ["0", "inf"],
    "WS_CONNECT_BURST": ["0"],
    "WS_CONCURRENT_REPLAYS": ["0"],
    "WS_DRAIN_SETTLE": ["-1", "301"],
    "WS_DRAIN_WINDOW": ["-1", "3601"],
    "WS_GRACE": ["-1", "3601"],
    "WS_CLOSE_TIMEOUT": ["0", "301"],
    "WS_SHED_MIN_AGE": ["-1", "86401"],
    "WS_ADMIN_PORT": ["-1", "65536", "metrics"],
    "WS_CONTROL_PORT": ["-1", "65536"],
    "HUB_COMPARISON_INTERVAL": ["0", "61"],
    "HUB_REVOCATION_INTERVAL": ["0", "61"],
    "HUB_HEARTBEAT_INTERVAL": ["0", "31"],
    "HUB_HEARTBEAT_TIMEOUT": ["0.1", "61"],
    "RELAY_AFTER": ["0", "301"],
    "RELAY_INTERVAL": ["0", "61"],
    "PRUNE_EVENTS_AFTER_DAYS": ["0", "3651", "1.5"],
    "PRUNE_NOTIFICATIONS_AFTER_DAYS": ["0"],
    "PRUNE_UNREAD_NOTIFICATIONS_AFTER_DAYS": ["0"],
    "WORKER_DETAILS_DAYS": ["-1", "3651", "a week"],
    "OTEL_EXPORTER_OTLP_ENDPOINT": [
        "collector:4318",
        "grpc://collector:4317",
        "http://",
        "http://user:password@collector:4318",
        "http://collector:port",
        "http://collector:4318?x=1",
    ],
    "OTEL_EXPORTER_OTLP_PROTOCOL": ["http", "http/json", "GRPC"],
    "OTEL_EXPORTER_OTLP_HEADERS": ["authorization", "=value", "a b=c"],
    "OTEL_TRACES_SAMPLER": ["sometimes", "jaeger_remote"],
    "OTEL_TRACES_SAMPLER_ARG": ["-0.1", "1.1", "nan", "1%"],
    "OTEL_SDK_DISABLED": ["maybe"],
}


def read(**variables: str) -> Environment:
    return read_environment({"SECRET_KEY": SECRET, **variables})


def problem(**variables: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(**variables)
    return str(caught.value)


def test_every_variable_is_tested_for_wrong_values() -> None:
    known = {item.name.upper() for item in fields(Environment)}
    assert known - set(WRONG) - ANY_TEXT == set(), "give each a wrong value in WRONG"
    assert set(WRONG) | ANY_TEXT <= known


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_gets_a_sentence_that_names_it(name: str, value: str) -> None:
    sentence = problem(**{name: value})
    assert sentence.startswith(f"{name} ")
    assert sentence.endswith(".")
    assert name in SECRETS or repr(value) in sentence or value in sentence


@pytest.mark.parametrize("name", sorted(WRONG))
@given(value=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1))
def test_no_text_at_all_gets_anything_but_a_value_or_a_sentence(name: str, value: str) -> None:
    with suppress(ConfigurationError):
        read(**{name: value})


def test_numbers_are_finite() -> None:
    for item in fields(Environment):
        value = getattr(read(), item.name)
        assert not isinstance(value, float) or math.isfinite(value)


def test_nothing_set_gives_the_defaults() -> None:
    environment = read()
    assert environment == Environment(secret_key=SECRET)
    assert environment.database_url.engine == "sqlite"
    assert environment.redis_url is None
    assert not environment.debug
    assert not environment.demo


def test_set_to_nothing_counts_as_not_set() -> None:
    assert read(**dict.fromkeys([*WRONG, "ALLOWED_HOSTS", "JWT_KEYS", "ETA_ESTIMATOR"], "")) == read()


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("YES", True), (" on ", True), ("0", False), ("False", False)]
)
def test_yes_and_no(text: str, value: bool) -> None:
    assert read(DEMO=text).demo is value


def test_lists_and_urls_are_parsed() -> None:
    environment = read(
        ALLOWED_HOSTS="a.example.org, b.example.org,",
        ALLOWED_ORIGINS="https://App.example.org,http://localhost:5173",
        TRUSTED_PROXIES="10.0.0.0/8, ::1",
        SERVICES="http,ws",
        DATABASE_URL="postgresql://u:p@db:5433/name",
    )
    assert environment.allowed_hosts == ("a.example.org", "b.example.org")
    assert environment.allowed_origins == ("https://app.example.org", "http://localhost:5173")
    assert [str(network) for network in environment.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    assert environment.services == ("http", "ws")
    assert environment.database_url == DatabaseTarget("postgresql", "name", "u", "p", "db", 5433)


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("capacitor://localhost", "capacitor://localhost"),
        ("ionic://localhost", "ionic://localhost"),
        ("tauri://localhost", "tauri://localhost"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("HTTPS://App.example.org:443", "https://app.example.org"),
        ("http://[2001:DB8::1]:8000", "http://[2001:db8::1]:8000"),
    ],
)
def test_an_origin_is_any_scheme_host_and_port(given: str, origin: str) -> None:
    assert read(ALLOWED_ORIGINS=given).allowed_origins == (origin,)


@pytest.mark.parametrize(
    ("variables", "interval", "relays"),
    [
        ({}, 1.0, True),
        ({"REDIS_URL": "redis://r"}, 5.0, False),
        ({"REDIS_URL": "redis://r", "HUB_COMPARISON_INTERVAL": "2", "RELAY_IN_PROCESS": "1"}, 2.0, True),
        ({"RELAY_IN_PROCESS": "0"}, 1.0, False),
    ],
)
def test_what_depends_on_redis(variables: dict[str, str], interval: float, relays: bool) -> None:
    environment = read(**variables)
    assert environment.comparison_interval == interval
    assert environment.relays_in_process is relays


@pytest.mark.parametrize(
    ("variables", "served"),
    [({}, False), ({"DEMO": "1"}, True), ({"DEBUG": "1", "DEMO_PAGE": "0"}, False), ({"DEMO_PAGE": "1"}, True)],
)
def test_the_page_is_for_the_demo_unless_it_is_asked_for(variables: dict[str, str], served: bool) -> None:
    assert read(**variables).serves_page is served


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_without_debug_there_is_no_default_secret() -> None:
    with pytest.raises(ConfigurationError, match=r"^SECRET_KEY is not set"):
        read_environment({})
    with pytest.raises(ConfigurationError, match=r"^SECRET_KEY is not set"):
        read_environment({"SECRET_KEY": "", "DEMO": "1"})
    with pytest.raises(ConfigurationError, match=r"^SECRET_KEY is the development key"):
        read_environment({"SECRET_KEY": DEVELOPMENT_SECRET})
    assert read_environment({"DEBUG": "1"}).effective_secret_key == DEVELOPMENT_SECRET
    assert read_environment({"DEBUG": "1", "SECRET_KEY": SECRET}).effective_secret_key == SECRET


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://user:hunter2@host/name"),
        ("DATABASE_URL", "postgresql://user:hunter2@host:99999/name"),
        ("DATABASE_URL", "postgresql://user:hunter2@[host/name"),
        ("DATABASE_URL", "postgresql://user:hunter2\u2100@host/name"),
        ("REDIS_URL", "http://user:hunter2@host"),
        ("REDIS_URL", "redis://:hunter2@host:x/0"),
        ("REDIS_URL", "redis://:hunter2@[host/0"),
        ("REDIS_URL", "rediss://:hunter2\u2100@host/0"),
        ("REDIS_URL", "redis+sentinel://:hunter2@host:x/primary"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
    ],
)
def test_a_secret_is_never_repeated(name: str, value: str) -> None:
    assert "hunter2" not in problem(**{name: value})


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_secret_may_be_a_file(name: str, tmp_path: Path) -> None:
    valid = {
        "DATABASE_URL": "postgresql://u:hunter2@h/n",
        "REDIS_URL": "redis://:hunter2@h",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20hunter2",
        "MESSAGE_KEYS": f'["{SECRET}"]',
    }
    value = valid.get(name, SECRET)
    file = tmp_path / "secret"
    file.write_text(value + "\n")
    base = {} if name == "SECRET_KEY" else {"SECRET_KEY": SECRET}
    field = name.lower()
    from_file = read_environment({**base, f"{name}_FILE": str(file)})
    assert getattr(from_file, field) == getattr(read_environment({**base, name: value}), field)


def test_a_secret_given_twice_or_in_a_file_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    assert problem(SECRET_KEY_FILE=str(file)) == "SECRET_KEY and SECRET_KEY_FILE are both set; set one of them."
    missing = tmp_path / "missing"
    sentence = problem(REDIS_URL_FILE=str(missing))
    assert sentence.startswith("REDIS_URL_FILE names ")
    assert str(missing) in sentence


def test_a_secret_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"\xff\xfe\x00")
    assert problem(JWT_KEYS_FILE=str(file)).startswith("JWT_KEYS_FILE names ")


def test_what_is_no_secret_has_no_file_form(tmp_path: Path) -> None:
    assert read(PORT_FILE=str(tmp_path / "missing")).port == Environment.port


# ── .env ─────────────────────────────────────────────────────────────────────────────────
def test_the_dotenv_file_is_overridden_by_real_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text(f"# a comment\nSECRET_KEY='{SECRET}'\nPORT=9001\nLOG_LEVEL=DEBUG\nDEMO\n")
    monkeypatch.setattr(module, "BASE_DIR", tmp_path)
    for name in ("SECRET_KEY", "PORT", "DEMO", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PORT", "9002")
    environment = process_environment()
    assert (environment.secret_key, environment.port, environment.log_level) == (SECRET, 9002, "DEBUG")
