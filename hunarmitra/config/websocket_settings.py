"""Settings of the WebSocket processes."""

from __future__ import annotations

from dataclasses import dataclass

from hunarmitra.config.declaration import variable
from hunarmitra.config.values import integer, seconds, text_value


@dataclass(frozen=True, kw_only=True)
class WebSocketSettings:
    """Settings of the WebSocket processes."""

    ws_sockets_per_user: int = variable(
        integer(1, 100000),
        20,
        "Connections of one user to one process. One more is refused with 4029. If the user's oldest connection has "
        "been silent for two heartbeats (`WS_HEARTBEAT`), that one is closed instead.",
        section="WebSocket limits",
    )
    ws_subscriptions: int = variable(
        integer(1, 100000), 20, "Subscriptions of one connection of `/ws/`. One more is refused with 4029."
    )
    ws_subscriptions_staff: int = variable(
        integer(1, 100000), 500, "The same for staff, who watch many bookings at once."
    )
    ws_failed_handshakes_per_minute: int = variable(
        integer(1, 1000000), 60, "Rejected handshakes of one address per minute in one process."
    )
    ws_message_max_bytes: int = variable(integer(128, 1048576), 16384, "Largest client message, in bytes.")
    ws_messages_per_second: float = variable(seconds(0.1, 1000), 10, "Client messages per second and connection.")
    ws_message_burst: int = variable(integer(1, 10000), 20, "Client messages that may arrive at once.")
    ws_flood_wait: float = variable(
        seconds(0, 3600),
        10,
        "Seconds for which one process refuses a session that sent too many messages or frames; 0 for no wait.",
    )
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
    ws_replayed_events_per_minute: int = variable(
        integer(100, 1000000000),
        6000,
        "Events that one process replays to one user in a minute. A longer replay is complete, but the user's next "
        "`since` waits.",
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
    ws_unauthenticated_connections: int = variable(
        integer(1, 1000000),
        1024,
        "TCP connections of one process whose client has not shown a valid token yet. One more closes the oldest. "
        "Where the process serves REST too, the connections of requests count as well.",
    )
    ws_unauthenticated_per_address: int = variable(
        integer(1, 1000000),
        256,
        "The same for one address, or one /64 network of IPv6. Connections of trusted proxies count for their client "
        "as soon as their request has arrived.",
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
