"""The one reader of the process environment.

Every setting that an operator may change is a field of :class:`Environment`, with its default, its
unit and one line of help. ``docs/configuration.md`` is generated from these fields, and nothing else in
the code base reads ``os.environ``. A wrong value raises :class:`ConfigurationError`, whose message names
the variable and says what it must look like; it never repeats a secret's value.

Variables marked as secret may also be given as a file (``SECRET_KEY_FILE=/run/secrets/key``), the form in
which Kubernetes and Docker mount secrets.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from hunarmitra.common.addresses import Network
from hunarmitra.config.database_url import DatabaseTarget, parse_database_url
from hunarmitra.config.redis_url import RedisTarget, parse_redis_url
from hunarmitra.config.values import (
    TRACE_SAMPLERS,
    boolean,
    collector_url,
    integer,
    name_list,
    networks,
    one_of,
    origins,
    pairs,
    ratio,
    seconds,
    services,
    text_value,
    tile_template,
)

logger = logging.getLogger(__name__)

RESEMBLES = 0.9
"""Similarity above which a name counts as a misspelt setting: one wrong letter in a short name, two in a long one."""

BASE_DIR = Path(__file__).resolve().parents[2]
DEVELOPMENT_SECRET = "development-only-secret-key-never-used-with-debug-off"  # noqa: S105 - see secret_key


class ConfigurationError(Exception):
    """The environment holds a value that the service cannot run with; the message says which and why."""


def variable(
    parse: Callable[[str], Any],
    default: Any,
    text: str,
    *,
    secret: bool = False,
    shown: str | None = None,
    section: str | None = None,
) -> Any:
    """A field of :class:`Environment`: how it is read, its default, one line of help, the heading it opens."""
    metadata = {"parse": parse, "help": text, "secret": secret, "shown": shown, "section": section}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Every setting, typed. Field ``access_lifetime`` is read from the variable ``ACCESS_LIFETIME``."""

    secret_key: str = variable(
        text_value,
        "",
        "Signs sessions, and tokens unless JWT_KEYS is set. Required when DEBUG is off.",
        secret=True,
        shown="none (a fixed development key while DEBUG is on)",
        section="Django",
    )
    debug: bool = variable(boolean, False, "Development mode: tracebacks in answers, a default secret, demo users.")
    demo: bool = variable(boolean, False, "Allows `manage.py demo` to make demo users while DEBUG is off.")
    port: int = variable(
        integer(1, 65535), 8000, "Port that `manage.py serve` listens on; `demo` and `drive` expect it there."
    )
    allowed_hosts: tuple[str, ...] = variable(
        name_list,
        (),
        "Comma-separated host names that HTTP requests may name in `Host`.",
        shown="none (localhost while DEBUG is on)",
    )
    allowed_origins: tuple[str, ...] = variable(
        origins,
        (),
        "Comma-separated origins, `scheme://host[:port]`, of web pages and apps (`capacitor://localhost`) that may "
        "call the REST API (CORS) and open WebSockets. A page of the server's own host and port always may.",
        shown="none",
    )
    trusted_proxies: tuple[Network, ...] = variable(
        networks,
        (),
        "Comma-separated addresses or CIDR networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto, "
        "or Forwarded, are believed.",
        shown="none",
    )
    services: tuple[str, ...] = variable(
        services, (), "Which services this process serves: http, ws or http,ws.", shown="every one installed"
    )
    metrics_host: str = variable(text_value, "127.0.0.1", "Address of METRICS_PORT.")
    metrics_port: int = variable(
        integer(0, 65535),
        0,
        "Port of /metrics (and of the relay's /livez) of a process that has no admin port: `manage.py relay`, or a "
        "stock server; 0 for none. "
        "`manage.py serve` takes its own port + 1000 where this is not set.",
    )
    log_level: str = variable(
        one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO", "Level of the log on standard error."
    )
    log_format: str = variable(
        one_of("text", "json"),
        "text",
        "How a log line looks: text for people, json (one object a line) for collectors.",
    )

    database_url: DatabaseTarget = variable(
        parse_database_url,
        DatabaseTarget.sqlite(BASE_DIR / "var" / "hunarmitra.sqlite3"),
        "`sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://user:password@host:5432/name?sslmode=require`.",
        secret=True,
        shown="`sqlite:///var/hunarmitra.sqlite3`",
        section="Storage",
    )
    database_pool_max: int = variable(
        integer(1, 1000), 10, "Most PostgreSQL connections of one process; with sockets, WS_DATABASE_THREADS + 3."
    )
    database_prepared_statements: bool = variable(
        boolean,
        True,
        "Prepares the most frequent statements once for each PostgreSQL connection. Turn it off behind a pooler that "
        "shares connections between transactions and does not support prepared statements (PgBouncer before 1.21).",
    )
    redis_url: RedisTarget | None = variable(
        parse_redis_url,
        None,
        "`redis://host:6379/0`, `rediss://…` for TLS, or `redis+sentinel://:password@s1:26379,s2:26379/mymaster/0`. "
        "Without it everything runs in one process, in memory.",
        secret=True,
        shown="none",
    )
    redis_publish_timeout: float = variable(
        seconds(0.01, 5), 0.25, "Seconds that a REST request waits for Redis before it goes on without."
    )
    relay_in_process: bool | None = variable(
        boolean,
        None,
        "Runs the outbox relay inside the ws process instead of `manage.py relay`.",
        shown="1 without REDIS_URL, else 0",
    )

    jwt_access_lifetime: float = variable(
        seconds(5, 86400), 900, "Seconds that an access token is valid.", section="Tokens"
    )
    jwt_refresh_lifetime: float = variable(
        seconds(60, 31536000), 604800, "Seconds that a refresh token, and so an unused session, is valid."
    )
    jwt_leeway: float = variable(seconds(0, 300), 10, "Seconds of clock difference that a token's expiry forgives.")
    jwt_keys: str = variable(
        text_value,
        "",
        'The signing-key ring, JSON: `[{"kid": "2026-11", "alg": "EdDSA", "private_key": "<PEM>"}, '
        '{"kid": "2026-05", "alg": "RS256", "public_key": "<PEM>"}]`; HS256 keys have `secret`. '
        "The first signs unless JWT_SIGNING_KID names another; all verify.",
        secret=True,
        shown="one HS256 key derived from SECRET_KEY",
    )
    jwt_signing_kid: str = variable(
        text_value, "", "The `kid` of the key that signs new tokens.", shown="the first of JWT_KEYS"
    )
    ticket_lifetime: float = variable(seconds(1, 300), 30, "Seconds in which a WebSocket ticket must be used.")

    web_concurrency: int = variable(
        integer(1, 64), 2, "Processes of gunicorn, which serves REST in production.", section="HTTP server"
    )
    web_threads: int = variable(
        integer(1, 256), 8, "Threads of each of these processes: the requests that it serves at once."
    )
    http_admin_port: int = variable(
        integer(0, 65535),
        0,
        "Port of /livez, /readyz and /metrics for any `Host`; the public port then no longer answers them. "
        "0: probes are on the public port, and metrics on none.",
    )

    demo_page: bool | None = variable(
        boolean,
        None,
        "Serves the page at `/`: sign in, watch bookings live, assign workers.",
        shown="1 while DEBUG or DEMO is on, else 0",
        section="Page",
    )
    map_tile_url: str = variable(
        tile_template,
        "",
        "Where the page's map takes its tiles: `https://tiles.example.org/{z}/{x}/{y}.png`. Without it, and where "
        "tiles cannot be loaded, it shows a plain grid and asks nobody.",
        shown="none",
    )
    map_attribution: str = variable(
        text_value, "", "What the providers of the tiles want to read in the map's corner.", shown="none"
    )

    tracking_min_interval: float = variable(
        seconds(0, 60), 2, "Least seconds between two accepted locations of one booking.", section="REST limits"
    )
    tracking_unwatched_interval: float = variable(
        seconds(0, 15), 15, "Seconds between two locations that the server asks for while nobody watches the booking."
    )
    tracking_max_future: float = variable(seconds(0, 3600), 60, "Seconds that a location's timestamp may be ahead.")
    eta_estimator: str = variable(
        text_value,
        "hunarmitra.locations.estimate.recent_fixes_estimate",
        "Dotted path of the function that estimates arrival times: `(fixes, site, now) -> minutes or None`.",
    )
    request_max_bytes: int = variable(integer(1024, 16777216), 65536, "Largest JSON body of a REST request, in bytes.")
    throttle_user_per_hour: int = variable(
        integer(1, 1000000), 3600, "REST requests of one user per hour; posting positions does not count."
    )
    throttle_auth_per_minute: int = variable(
        integer(1, 100000), 30, "Sign-in, refresh, verify and sign-out requests of one address per minute."
    )
    throttle_login_per_minute: int = variable(
        integer(1, 100000), 10, "Sign-in attempts for one user name per minute, from any address, also at /admin/."
    )

    ws_sockets_per_user: int = variable(
        integer(1, 100000),
        20,
        "Sockets of one user in one process; the oldest is closed 4029.",
        section="WebSocket limits",
    )
    ws_failed_handshakes_per_minute: int = variable(
        integer(1, 1000000), 60, "Rejected handshakes of one address per minute in one process."
    )
    ws_message_max_bytes: int = variable(integer(128, 1048576), 16384, "Largest client message, in bytes.")
    ws_messages_per_second: float = variable(seconds(0.1, 1000), 10, "Client messages per second and socket.")
    ws_message_burst: int = variable(integer(1, 10000), 20, "Client messages that may come at once.")
    ws_send_buffer_bytes: int = variable(
        integer(4096, 67108864),
        1048576,
        "Status frames waiting for one slow socket, in bytes, before it is closed 4008. "
        "A replay waits for the client when they fill half of it.",
    )
    ws_heartbeat: float = variable(seconds(1, 300), 25, "Seconds between pings that clients are asked to send.")
    ws_replay_page_events: int = variable(
        integer(1, 10000), 100, "Events of a replay that are read at once; the next are read when the client has these."
    )
    ws_database_threads: int = variable(integer(1, 64), 4, "Threads of one process that read the database for sockets.")

    ws_max_connections: int = variable(
        integer(1, 1000000),
        10000,
        "Most sockets of one process; one more is closed 4013.",
        section="WebSocket server (`python -m hunarmitra_ws`)",
    )
    ws_connects_per_second: float = variable(
        seconds(0.1, 100000), 500, "New sockets per second; those above it are told when to come back."
    )
    ws_connect_burst: int = variable(integer(1, 1000000), 2000, "New sockets that may come at once.")
    ws_concurrent_replays: int = variable(integer(1, 10000), 64, "Sockets whose log is read at the same time.")
    ws_drain_settle: float = variable(
        seconds(0, 300), 3, "Seconds between not being ready and moving sockets away: endpoints forget the pod."
    )
    ws_drain_window: float = variable(seconds(0, 3600), 20, "Seconds over which a drain moves the sockets away.")
    ws_grace: float = variable(
        seconds(0, 3600), 30, "Seconds after SIGTERM at which what is left is cut off; at least settle + window."
    )
    ws_close_timeout: float = variable(
        seconds(0.1, 300), 10, "Seconds that a client has to answer a close before the connection is aborted."
    )
    ws_ping_interval: int = variable(
        integer(1, 300), 20, "Seconds of silence of a client after which it is sent a WebSocket ping."
    )
    ws_ping_timeout: int = variable(
        integer(1, 300), 30, "Seconds that the answer to a ping may take before the connection is dropped."
    )
    ws_shed_min_age: float = variable(seconds(0, 86400), 60, "Seconds after which an open socket may be shed.")
    ws_admin_host: str = variable(text_value, "0.0.0.0", "Address of the port for probes and metrics.")  # noqa: S104
    ws_admin_port: int = variable(integer(0, 65535), 8081, "Port of /livez, /readyz and /metrics; 0 for none.")
    ws_control_host: str = variable(
        text_value,
        "0.0.0.0",  # noqa: S104
        "Address of the port for drain, shed and counts; loopback without WS_CONTROL_TOKEN_FILE.",
    )
    ws_control_port: int = variable(integer(0, 65535), 8082, "Port of /drain, /shed and /connections; 0 for none.")
    ws_control_token_file: str = variable(
        text_value, "", "File with the bearer token of the control port; two lines during a rotation.", shown="none"
    )

    hub_comparison_interval: float | None = variable(
        seconds(0.1, 60),
        None,
        "Seconds between comparisons of the watched bookings with the database.",
        shown="5 with Redis, 1 without",
        section="Event delivery",
    )
    hub_revocation_interval: float = variable(
        seconds(0.1, 60), 1, "Seconds between looks for revocations that no message announced."
    )
    hub_heartbeat_interval: float = variable(
        seconds(0.1, 30), 1, "Seconds between the subscriber's messages to itself."
    )
    hub_heartbeat_timeout: float = variable(
        seconds(0.2, 60), 3, "Seconds without an own message after which the Redis subscription is made anew."
    )
    ack_sample_rate: float = variable(
        ratio,
        0.01,
        "Share of status events and notifications, from 0 to 1, that ask clients to acknowledge them, which measures "
        "the way to the client and back. A hundredth tells a fleet's slowest percent within minutes and costs phones "
        "next to nothing; 0 for none.",
    )
    relay_after: float = variable(seconds(0.1, 300), 2, "Age in seconds at which the relay takes an unpublished event.")
    relay_interval: float = variable(seconds(0.05, 60), 1, "Seconds between two looks of the relay.")

    prune_events_after_days: int = variable(
        integer(1, 3650),
        90,
        "Days after a booking's end at which `manage.py prune` deletes its events.",
        section="Retention",
    )
    prune_notifications_after_days: int = variable(
        integer(1, 3650), 90, "Days after which `manage.py prune` deletes read notifications."
    )

    otel_exporter_otlp_endpoint: str = variable(
        collector_url,
        "",
        "Base URL of an OpenTelemetry collector, `http://collector:4318`, or `:4317` for gRPC. Without it nothing is "
        "traced, and what would trace is not even loaded.",
        shown="none",
        section="Tracing (OpenTelemetry's own variables; the SDK reads its others too)",
    )
    otel_exporter_otlp_protocol: str = variable(
        one_of("http/protobuf", "grpc"),
        "http/protobuf",
        "How traces travel. gRPC needs an image that was built with it (`OTLP_GRPC=1`).",
    )
    otel_exporter_otlp_headers: tuple[tuple[str, str], ...] = variable(
        pairs,
        (),
        "Headers of the exporter's requests, `name=value,other=value`: credentials for the collector.",
        secret=True,
        shown="none",
    )
    otel_traces_sampler: str = variable(
        one_of(*TRACE_SAMPLERS),
        "parentbased_traceidratio",
        "Which requests are traced. The parentbased ones do as a request's own `traceparent` says; where anybody may "
        "send one, take `traceidratio`.",
    )
    otel_traces_sampler_arg: float = variable(
        ratio, 1.0, "BookingRole of the requests that is traced, 0 to 1, for the samplers with a ratio."
    )
    otel_service_name: str = variable(
        text_value,
        "",
        "What this process calls itself in traces and in JSON logs.",
        shown="hunarmitra- and what runs: http, ws, relay …",
    )
    otel_sdk_disabled: bool = variable(boolean, False, "Switches tracing off, whatever the others say.")

    @property
    def traces(self) -> bool:
        return bool(self.otel_exporter_otlp_endpoint) and not self.otel_sdk_disabled

    @property
    def effective_secret_key(self) -> str:
        return self.secret_key or DEVELOPMENT_SECRET

    @property
    def serves_page(self) -> bool:
        return self.debug or self.demo if self.demo_page is None else self.demo_page

    @property
    def comparison_interval(self) -> float:
        """Seconds; short where reading is cheap and no Redis carries events (the embedded default)."""
        if self.hub_comparison_interval is not None:
            return self.hub_comparison_interval
        return 5.0 if self.redis_url else 1.0

    @property
    def relays_in_process(self) -> bool:
        return self.redis_url is None if self.relay_in_process is None else self.relay_in_process


def _raw_value(name: str, source: Mapping[str, str], secret: bool) -> str | None:
    value = source.get(name)
    path = source.get(f"{name}_FILE") if secret else None
    if value is not None and path is not None:
        raise ConfigurationError(f"{name} and {name}_FILE are both set; set one of them.")
    if path is None:
        return value
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except ValueError:
        reason = "is no UTF-8 text"
    raise ConfigurationError(f"{name}_FILE names {path}, which {reason}.")


def read_environment(source: Mapping[str, str]) -> Environment:
    """Read and check every variable. Raises :class:`ConfigurationError` naming the first wrong one."""
    values: dict[str, Any] = {}
    for item in fields(Environment):
        name = item.name.upper()
        raw = _raw_value(name, source, item.metadata["secret"])
        if raw is None or (raw == "" and item.metadata["parse"] is not name_list):
            continue
        try:
            values[item.name] = item.metadata["parse"](raw)
        except ValueError as error:
            shown = "" if item.metadata["secret"] else f" (it is {raw!r})"
            raise ConfigurationError(f"{name} {error}{shown}.") from None
    environment = Environment(**values)
    if not environment.secret_key and not environment.debug:
        raise ConfigurationError(
            "SECRET_KEY is not set. Give a random one "
            "(python -c 'import secrets; print(secrets.token_urlsafe(50))'), or DEBUG=1 for development."
        )
    if not environment.debug and environment.secret_key == DEVELOPMENT_SECRET:
        raise ConfigurationError("SECRET_KEY is the development key; give a random one of your own.")
    return environment


def misspelt(names: Iterable[str]) -> dict[str, str]:
    """Return the names that resemble a setting but are not one, each with the setting that was probably meant."""
    known = {item.name.upper() for item in fields(Environment)}
    known |= {f"{item.name.upper()}_FILE" for item in fields(Environment) if item.metadata["secret"]}
    found = {}
    for name in names:
        if name not in known and (close := get_close_matches(name.upper(), known, n=1, cutoff=RESEMBLES)):
            found[name] = close[0]
    return found


def _process_variables() -> dict[str, str]:
    """The variables of this process: ``.env`` at the project's top, overridden by real variables."""
    dotenv = {name: value for name, value in dotenv_values(BASE_DIR / ".env").items() if value is not None}
    return {**dotenv, **os.environ}


def process_environment() -> Environment:
    """Read what this process was started with."""
    return read_environment(_process_variables())


def warn_of_misspelt_settings() -> None:
    """Log a warning for each variable of this process that looks like a misspelt setting."""
    for name, meant in sorted(misspelt(_process_variables()).items()):
        logger.warning("the environment has %s, which is not a setting; did you mean %s?", name, meant)
