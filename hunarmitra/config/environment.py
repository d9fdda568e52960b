"""Every setting that an operator may change, as a field with its default, its unit and its help.

``docs/configuration.md`` is generated from these fields; :mod:`hunarmitra.config.reading` fills them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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

BASE_DIR = Path(__file__).resolve().parents[2]
DEVELOPMENT_SECRET = "development-only-secret-key-never-used-with-debug-off"  # noqa: S105 - see secret_key


class ConfigurationError(Exception):
    """A setting that the service cannot run with; the message names the variable and the reason."""


def variable(
    parse: Callable[[str], Any],
    default: Any,
    text: str,
    *,
    secret: bool = False,
    shown: str | None = None,
    section: str | None = None,
) -> Any:
    """Declare a field of :class:`Environment`: its parser, default and help, and the heading that it opens."""
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
    debug: bool = variable(boolean, False, "Development mode: tracebacks in responses, a default secret, demo users.")
    demo: bool = variable(boolean, False, "Lets `manage.py demo` create demo users while DEBUG is off.")
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
        one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO", "Log level. The log goes to standard error."
    )
    log_format: str = variable(
        one_of("text", "json"),
        "text",
        "Form of a log line: `text` for people, `json` (one object a line) for collectors.",
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
        integer(1, 1000),
        10,
        "Maximum of PostgreSQL connections of one process. With WebSockets, at least WS_DATABASE_THREADS + 3.",
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
        seconds(0.01, 5),
        0.25,
        "Seconds that a REST request waits for Redis at most; then it continues without publishing.",
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
    jwt_leeway: float = variable(
        seconds(0, 300), 10, "Seconds that a token stays valid after its expiry, to allow for different clocks."
    )
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
    ticket_lifetime: float = variable(seconds(1, 300), 30, "Seconds for which a WebSocket ticket is valid.")

    web_concurrency: int = variable(
        integer(1, 64), 2, "Processes of gunicorn, which serves REST in production.", section="HTTP server"
    )
    web_threads: int = variable(
        integer(1, 256), 8, "Threads of each of these processes: the requests that it serves at the same time."
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
        "URL template of the map tiles of the page: `https://tiles.example.org/{z}/{x}/{y}.png`. Without it, or when "
        "tiles cannot be loaded, the map shows a plain grid.",
        shown="none",
    )
    map_attribution: str = variable(text_value, "", "Map attribution text.", shown="none")

    tracking_min_interval: float = variable(
        seconds(0, 60), 2, "Minimum of seconds between two accepted locations of one booking.", section="REST limits"
    )
    tracking_unwatched_interval: float = variable(
        seconds(0, 15), 15, "Seconds between two locations that the server asks for while nobody watches the booking."
    )
    tracking_max_future: float = variable(
        seconds(0, 3600), 60, "Seconds that the timestamp of a location may be in the future."
    )
    eta_estimator: str = variable(
        text_value,
        "hunarmitra.locations.estimate.recent_fixes_estimate",
        "Dotted path of the function that estimates arrival times: `(fixes, site, now) -> minutes or None`.",
    )
    request_max_bytes: int = variable(integer(1024, 16777216), 65536, "Largest JSON body of a REST request, in bytes.")
    throttle_user_per_hour: int = variable(
        integer(1, 1000000), 3600, "REST requests of one user per hour. Posting locations does not count."
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
        "Connections of one user to one process. One more closes the oldest with 4029.",
        section="WebSocket limits",
    )
    ws_failed_handshakes_per_minute: int = variable(
        integer(1, 1000000), 60, "Rejected handshakes of one address per minute in one process."
    )
    ws_message_max_bytes: int = variable(integer(128, 1048576), 16384, "Largest client message, in bytes.")
    ws_messages_per_second: float = variable(seconds(0.1, 1000), 10, "Client messages per second and connection.")
    ws_message_burst: int = variable(integer(1, 10000), 20, "Client messages that may arrive at once.")
    ws_send_buffer_bytes: int = variable(
        integer(4096, 67108864),
        1048576,
        "Bytes of status frames that may wait for one slow client. Above it, the connection is closed with 4008. "
        "A replay pauses when half of it is used.",
    )
    ws_heartbeat: float = variable(
        seconds(1, 300), 25, "Seconds between the `ping` messages that clients are asked to send."
    )
    ws_location_batch_ms: int = variable(
        integer(0, 1000),
        20,
        "Milliseconds that locations from workers' connections are gathered before one statement stores them.",
    )
    ws_replay_page_events: int = variable(
        integer(1, 10000),
        100,
        "Events of a replay that are read at once. The next page is read when the client has received this one.",
    )
    ws_database_threads: int = variable(
        integer(1, 64), 4, "Threads of one process that read the database for connections."
    )

    ws_max_connections: int = variable(
        integer(1, 1000000),
        10000,
        "Connection limit of one process. One more is closed with 4013.",
        section="WebSocket server (`python -m hunarmitra_ws`)",
    )
    ws_connects_per_second: float = variable(
        seconds(0.1, 100000), 500, "New connections per second. Those above it are told when to reconnect."
    )
    ws_connect_burst: int = variable(integer(1, 1000000), 2000, "New connections that may arrive at once.")
    ws_concurrent_replays: int = variable(integer(1, 10000), 64, "Connections whose log is read at the same time.")
    ws_drain_settle: float = variable(
        seconds(0, 300),
        3,
        "Seconds between readiness 503 and the first moved connection: the time in which endpoints remove the pod.",
    )
    ws_drain_window: float = variable(seconds(0, 3600), 20, "Seconds over which a drain moves the connections away.")
    ws_grace: float = variable(
        seconds(0, 3600),
        30,
        "Seconds after SIGTERM at which remaining connections are cut off; at least settle + window.",
    )
    ws_close_timeout: float = variable(
        seconds(0.1, 300), 1, "Seconds that a client has to answer a close frame before the connection is aborted."
    )
    ws_handshake_timeout: float = variable(
        seconds(0.1, 300), 10, "Seconds in which a client of a ws process must send its upgrade request."
    )
    ws_ping_interval: int = variable(
        integer(1, 300), 20, "Seconds without data from a client after which the server sends a WebSocket ping."
    )
    ws_ping_timeout: int = variable(
        integer(1, 300), 30, "Seconds to wait for the pong before the connection is dropped."
    )
    ws_shed_min_age: float = variable(
        seconds(0, 86400), 60, "Age in seconds from which a connection may be rebalanced to another pod."
    )
    ws_admin_host: str = variable(text_value, "0.0.0.0", "Address of the port for probes and metrics.")  # noqa: S104
    ws_admin_port: int = variable(integer(0, 65535), 8081, "Port of /livez, /readyz and /metrics; 0 for none.")
    ws_control_host: str = variable(
        text_value,
        "0.0.0.0",  # noqa: S104
        "Address of the port for drain, rebalancing and counts; loopback without WS_CONTROL_TOKEN_FILE.",
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
        seconds(0.1, 60), 1, "Seconds between queries for revocations whose announcement was lost."
    )
    hub_heartbeat_interval: float = variable(
        seconds(0.1, 30), 1, "Seconds between the heartbeats that the Redis subscriber sends to itself."
    )
    hub_heartbeat_timeout: float = variable(
        seconds(0.2, 60), 3, "Seconds without a heartbeat after which the subscriber reconnects to Redis."
    )
    ack_sample_rate: float = variable(
        ratio,
        0.01,
        "Fraction of status events and notifications, 0 to 1, that ask clients for an acknowledgement, to measure the "
        "round trip. 0.01 shows a fleet's 99th percentile within minutes and costs phones almost nothing; 0 for none.",
    )
    relay_after: float = variable(seconds(0.1, 300), 2, "Age in seconds at which the relay takes an unpublished event.")
    relay_interval: float = variable(
        seconds(0.05, 60), 1, "Seconds between two queries of the relay for unpublished events."
    )

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
        "traced, and the OpenTelemetry packages are not loaded.",
        shown="none",
        section="Tracing (OpenTelemetry's own variables; the SDK reads its others too)",
    )
    otel_exporter_otlp_protocol: str = variable(
        one_of("http/protobuf", "grpc"),
        "http/protobuf",
        "Transport of traces. gRPC needs an image that was built with it (`OTLP_GRPC=1`).",
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
        "Which requests are traced. `parentbased_…` samplers follow the `traceparent` of a request. Where untrusted "
        "clients can send one, use `traceidratio`.",
    )
    otel_traces_sampler_arg: float = variable(
        ratio, 1.0, "Fraction of requests that is traced, 0 to 1, for the samplers with a ratio."
    )
    otel_service_name: str = variable(
        text_value,
        "",
        "Name of this process in traces and in JSON logs.",
        shown="hunarmitra- and what runs: http, ws, relay …",
    )
    otel_sdk_disabled: bool = variable(boolean, False, "Switches tracing off, whatever the other variables say.")

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
        """Seconds between comparisons; short in the embedded default, where reading is cheap."""
        if self.hub_comparison_interval is not None:
            return self.hub_comparison_interval
        return 5.0 if self.redis_url else 1.0

    @property
    def relays_in_process(self) -> bool:
        return self.redis_url is None if self.relay_in_process is None else self.relay_in_process
