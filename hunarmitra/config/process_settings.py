"""Settings of every process: Django, storage, tokens."""

from __future__ import annotations

from dataclasses import dataclass

from hunarmitra.common.addresses import Network
from hunarmitra.config.database_url import DatabaseTarget, parse_database_url
from hunarmitra.config.declaration import BASE_DIR, variable
from hunarmitra.config.redis_url import RedisTarget, parse_redis_url
from hunarmitra.config.values import (
    boolean,
    integer,
    name_list,
    networks,
    one_of,
    origins,
    seconds,
    secret_list,
    services,
    text_value,
)


@dataclass(frozen=True, kw_only=True)
class ProcessSettings:
    """Settings of every process: Django, storage, tokens."""

    secret_key: str = variable(
        text_value,
        "",
        "Signs sessions, and tokens and messages on Redis unless JWT_KEYS is set. Required when DEBUG is off, except "
        "by a process that serves ws alone, with JWT_KEYS (public keys suffice) and MESSAGE_KEYS.",
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
        "Comma-separated host names that HTTP requests and WebSocket handshakes may name in `Host`.",
        shown="none (localhost while DEBUG is on)",
    )
    admin_hosts: tuple[str, ...] = variable(
        name_list,
        (),
        "Comma-separated host names under which alone `/admin/` is served. They serve nothing else but static files. "
        "They need not be in ALLOWED_HOSTS.",
        shown="none: under every host",
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
        "or Forwarded, are believed. Name the proxies' own network; one above /8 (IPv4) or /7 (IPv6) is rejected.",
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
        "`sqlite:///relative.db`, `sqlite:////absolute.db` or "
        "`postgresql://user:password@host:5432/name?sslmode=require`. "
        "Several hosts of one cluster, `host1:5432,host2:5432`, are tried in this order until one accepts writes; "
        "parameters are libpq's. `target_session_attrs` is `read-write` unless the URL has `primary` or `any`.",
        secret=True,
        shown="`sqlite:///var/hunarmitra.sqlite3`",
        section="Storage",
    )
    database_pool_max: int = variable(
        integer(1, 1000),
        10,
        "Maximum of PostgreSQL connections of one process. With WebSockets, at least WS_DATABASE_THREADS + 3.",
    )
    database_max_lifetime: float = variable(
        seconds(10, 86400),
        1800,
        "Seconds after which a PostgreSQL connection is replaced by a new one, so that changed addresses and passwords "
        "are noticed.",
    )
    database_answer_timeout: float = variable(
        seconds(1, 3600),
        15,
        "Seconds that a process that serves waits for PostgreSQL's answer to one statement. Then it closes the "
        "connection and answers 503. Management commands wait without limit.",
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
    session_lifetime: float = variable(
        seconds(60, 315360000),
        7776000,
        "Seconds after the sign-in for which a session can be continued. Then its tokens are no longer accepted, its "
        "connections close, and the user must sign in again.",
    )
    jwt_refresh_grace: float = variable(
        seconds(0, 300),
        30,
        "Seconds after its exchange for which a refresh token returns the same new one again, because the answer may "
        "have been lost. A later use ends the session.",
    )
    jwt_leeway: float = variable(
        seconds(0, 300), 10, "Seconds that a token stays valid after its expiry, to allow for different clocks."
    )
    jwt_keys: str = variable(
        text_value,
        "",
        'The signing-key ring, JSON: `[{"kid": "2026-11", "alg": "EdDSA", "private_key": "<PEM>"}, '
        '{"kid": "2026-05", "alg": "RS256", "public_key": "<PEM>"}]`; HS256 keys have `secret`. '
        "The first signs unless JWT_SIGNING_KID names another; all verify. "
        '`{"kid": "default", "alg": "HS256"}` is the key derived from SECRET_KEY. '
        "A process that serves ws alone needs no private key if it has MESSAGE_KEYS.",
        secret=True,
        shown="one HS256 key derived from SECRET_KEY",
    )
    jwt_signing_kid: str = variable(
        text_value, "", "The `kid` of the key that signs new tokens.", shown="the first of JWT_KEYS"
    )
    message_keys: tuple[str, ...] = variable(
        secret_list,
        (),
        'Keys of messages on Redis, JSON: `["<secret>"]`, each of at least 32 bytes. The first signs, all verify; the '
        "keys of tokens verify too, in a process that has them.",
        secret=True,
        shown="derived from JWT_KEYS or SECRET_KEY",
    )
    jwt_issuer: tuple[str, ...] = variable(
        name_list,
        ("hunarmitra",),
        "Comma-separated names of issuers; new tokens have the first as `iss`. A token with another `iss` "
        "is rejected; a token without `iss` is accepted, because older versions issued it. Empty: no check.",
        shown="`hunarmitra`",
    )
    jwt_audience: tuple[str, ...] = variable(
        name_list,
        (),
        "The same for `aud`. Set it after all processes have version 0.2: version 0.1 rejects tokens that have it.",
        shown="none",
    )
    ticket_lifetime: float = variable(seconds(1, 300), 30, "Seconds for which a WebSocket ticket is valid.")
