"""The closed sets of label values, and the buckets of histograms, that the catalogue of metrics is made of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hunarmitra.protocol.close_codes import CloseCode

OTHER: Final = "other"
UNMATCHED: Final = "unmatched"

LANES: Final = ("status", "location")
CHANNEL_KINDS: Final = ("booking", "notifications", "live")
SOCKET_KINDS: Final = ("booking", "notifications", "shared")
CONNECTION_KINDS: Final = (*SOCKET_KINDS, "joining")
CLOSE_CODES: Final = (
    *(str(code) for code in sorted({1000, 1001, 1002, 1006, *CloseCode})),
    OTHER,
)
HANDSHAKE_OUTCOMES: Final = ("joined", "refused", "flooded", "full", "reconnect", "unavailable", "abandoned")
RESUME_OUTCOMES: Final = ("replayed", "resync", "fresh")
GAP_FINDERS: Final = ("seq", "comparison", "recovery", "unsigned")
SUBSCRIBER_REFUSALS: Final = ("login", "subscribe", "publish")
PUBLISHER_REFUSALS: Final = ("login", "publish", "limit")
OUTBOX_STREAMS: Final = ("bookings", "notifications")

DATABASE_PROBLEMS: Final = ("read_only", "no_slot", "unreachable")

BACKENDS: Final = ("channel_layer", "redis", "log")
REMOTE_BACKENDS: Final = ("channel_layer", "redis")

METHODS: Final = ("GET", "POST", "PATCH", OTHER)
STATUS_CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")
RESPONSE_CODES: Final = (
    *("200", "201", "204", "301", "302", "304"),
    *("400", "401", "403", "404", "405", "406", "409", "413", "415", "429"),
    *("500", "503", OTHER),
)
HTTP_CONNECTION_STATES: Final = ("idle", "receiving", "waiting", "serving", "sending")
CUT_REASONS: Final = ("silent", "header", "body", "response", "full")
UNAUTHENTICATED_CUT_REASONS: Final = ("late", "address", "full")
RATE_LIMITS: Final = ("user", "writes", "auth", "login", "login_name", "failures", "position")

SECURITY_OUTCOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "sign_in": ("accepted", "rejected", "limited"),
    "admin_sign_in": ("accepted", "rejected", "limited"),
    "refresh": ("repeated", "reused"),
    "revocation": ("sign_out", "sign_out_everywhere", "password", "deactivated", "staff_right", "deleted"),
    "staff_action": ("add", "change", "delete", "sign_out", "deactivate", "second_factor"),
    "second_factor": ("added", "removed", "recovery_code", "recovery_codes"),
}
"""The outcomes of each security event."""
SECURITY_WARNINGS: Final = (("refresh", "reused"),)
"""The events that are logged as a warning; all others as information."""

_API: Final = "/api/v1"
ROUTES: Final[Mapping[str, tuple[str, ...]]] = {
    f"{_API}/auth/token/": ("POST",),
    f"{_API}/auth/refresh/": ("POST",),
    f"{_API}/auth/verify/": ("POST",),
    f"{_API}/auth/logout/": ("POST",),
    f"{_API}/users/me/": ("GET",),
    f"{_API}/workers/": ("GET",),
    f"{_API}/realtime/tickets/": ("POST",),
    f"{_API}/bookings/": ("GET", "POST"),
    f"{_API}/bookings/<id:booking_id>/": ("GET",),
    f"{_API}/bookings/<id:booking_id>/status/": ("PATCH",),
    f"{_API}/bookings/<id:booking_id>/assign/": ("POST",),
    f"{_API}/bookings/<id:booking_id>/events/": ("GET",),
    f"{_API}/tracking/<id:booking_id>/": ("GET", "POST"),
    f"{_API}/notifications/": ("GET",),
    f"{_API}/notifications/mark_all_read/": ("PATCH",),
    f"{_API}/notifications/<id:notification_id>/mark_read/": ("PATCH",),
    "/api/schema/": ("GET",),
    "/api/docs/": ("GET",),
    "/api/asyncapi/": ("GET",),
    "/api/asyncapi/docs/": ("GET",),
    "/admin/": ("GET", "POST"),
    "/static/": ("GET",),
    "/demo/people/": ("GET",),
    "/": ("GET",),
    UNMATCHED: ("GET", "POST"),
}
"""Each route, as the URL patterns spell it, with its methods. The admin is one route, and so are static files."""

SERVED: Final = tuple((method, route) for route, methods in ROUTES.items() for method in (*methods, OTHER))
"""``HEAD`` counts as ``GET``; ``other`` is every method that a route does not serve."""

# Buckets: upper bounds, in the unit of their name.
EVENT_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Around the objective, 500 ms from the commit to the connection."""
REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PUBLISH_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""A request waits 250 ms for Redis at most (REDIS_PUBLISH_TIMEOUT), twice that when it has to connect."""
HANDSHAKE_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LOOP_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
AGE_SECONDS: Final = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
EVENTS: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)
