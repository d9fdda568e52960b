"""Settings of the REST processes and of the page."""

from __future__ import annotations

from dataclasses import dataclass

from hunarmitra.config.declaration import variable
from hunarmitra.config.values import boolean, integer, one_of, seconds, text_value, tile_template


@dataclass(frozen=True, kw_only=True)
class RestSettings:
    """Settings of the REST processes and of the page."""

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
    http_header_timeout: float = variable(
        seconds(0.1, 300),
        10,
        "Seconds in which a client must send the header of a request. A later one gets 408.",
    )
    http_body_timeout: float = variable(
        seconds(0.1, 3600), 30, "Seconds after the header in which a client must send the body. A later one gets 408."
    )
    http_send_timeout: float = variable(
        seconds(0.1, 3600), 60, "Seconds in which a client must read a response; then the connection is closed."
    )
    http_max_connections: int = variable(
        integer(16, 100000),
        512,
        "Open connections of one gunicorn process, idle ones included. One more closes the slowest: that which has "
        "been sending a request or reading a response for the longest time, over a second; else the one idle longest. "
        "If half of them have sent no complete request yet, it closes the oldest of these.",
    )
    http_header_max_bytes: int = variable(
        integer(8192, 262144), 32768, "Largest header of a request, in bytes. A larger one gets 431."
    )
    http_send_buffer_bytes: int = variable(
        integer(1048576, 1073741824),
        16777216,
        "Bytes of responses that may wait in one gunicorn process for clients that read slowly. Above it, the slowest "
        "are closed.",
    )

    hsts_seconds: int | None = variable(
        integer(0, 315360000),
        None,
        "Seconds for which browsers use this host over HTTPS only, as `Strict-Transport-Security` tells them. It is "
        "sent over HTTPS only: behind a proxy, TRUSTED_PROXIES must name the proxy. 0 sends none.",
        shown="31536000 (a year), 0 while DEBUG is on",
        section="Response headers",
    )
    hsts_include_subdomains: bool = variable(
        boolean, False, "The same for all subdomains of the host. Make sure that all of them have HTTPS."
    )
    hsts_preload: bool = variable(
        boolean,
        False,
        "Agrees that browsers are delivered with this host in their HTTPS-only list, which takes months to undo. "
        "Needs HSTS_INCLUDE_SUBDOMAINS and a year of HSTS_SECONDS.",
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
    throttle_writes_per_minute: int = variable(
        integer(1, 1000000),
        60,
        "REST requests of one user per minute that change something. Posting locations does not count.",
    )
    throttle_failures_per_minute: int = variable(
        integer(1, 1000000),
        60,
        "Failed requests of one address per minute (an invalid or revoked token, a booking that the user may not see), "
        "and rejected locations of one user; more are answered with 429. Requests that succeed are not limited by it.",
    )
    bookings_open_max: int = variable(
        integer(0, 1000000),
        50,
        "Bookings of one owner that may be unfinished at the same time; 0 for no limit. Staff have no limit.",
    )
    throttle_auth_per_minute: int = variable(
        integer(1, 100000), 30, "Sign-in, refresh, verify and sign-out requests of one address per minute."
    )
    throttle_login_per_minute: int = variable(
        integer(1, 100000),
        10,
        "Failed sign-ins for one user name from one network (an IPv4 address, an IPv6 /64) before a delay, also at "
        "/admin/. The delay begins with 60 seconds divided by this number, and each further failure doubles it. It is "
        "forgotten an hour later, and after a success. A device on which the user has signed in before counts by "
        "itself.",
    )
    throttle_login_delay_max: float = variable(
        seconds(1, 86400), 900, "Longest delay between two failed sign-ins for one user name from one network, seconds."
    )
    throttle_login_name_per_hour: int = variable(
        integer(1, 1000000),
        100,
        "Failed sign-ins for one user name per hour from all networks together. Above it, only devices on which the "
        "user has signed in before may try.",
    )
    login_device_lifetime: float = variable(
        seconds(0, 315360000),
        15552000,
        "Seconds for which a device on which a user has signed in is known, so that the failures of others do not "
        "limit it. 0: no device is known.",
    )
    admin_second_factor: str = variable(
        one_of("off", "optional", "required"),
        "optional",
        "Second factor of staff at /admin/: codes of an authenticator app. `optional`: who has set one up needs a "
        "code. `required`: without one, staff can only set it up. `off`: nobody is asked for a code.",
    )
