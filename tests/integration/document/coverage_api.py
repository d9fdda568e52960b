"""Which tests hold for which part of `realtime-api.md`. `test_coverage` checks that nothing is left out.

Ids are files under `tests/` (or `clients/js/test/`, whose ids are titles) and the test's name. A key that ends in
`…` is how a longer statement begins.
"""

from __future__ import annotations

from typing import Final

_EXAMPLES: Final = "integration/document/test_examples.py::test_"
_COMMANDS: Final = "integration/document/test_document_commands.py::test_"
_SNIPPETS: Final = "integration/document/test_snippets.py::test_"
_JOINING: Final = "integration/ws/test_joining.py::test_"
_PUBLISHING: Final = "unit/outbox/test_publishing.py::test_"

_SUBSCRIBERS: Final = (
    _EXAMPLES + "who_may_subscribe_and_with_which_code_others_are_closed",
    _JOINING + "who_takes_part_may_watch_and_others_are_4003",
)
_STATUSES: Final = (_EXAMPLES + "every_documented_status_is_shown_to_watchers",)
_BY_QUERY: Final = (_JOINING + "a_token_in_the_query_opens_both_endpoints",)
_REJECTED: Final = (
    _JOINING + "what_is_no_valid_credential_is_4001_on_both_endpoints",
    _JOINING + "no_credential_is_4001_whether_or_not_the_booking_exists",
)
_RATE: Final = (
    _EXAMPLES + "one_location_in_two_seconds",
    "integration/rest/test_tracking_race.py::test_exactly_one_of_200_simultaneous_locations_is_accepted",
)
_REDIS: Final = (_COMMANDS + "redis_url_in_an_env_file_selects_redis",)
_ADVICE: Final = ("(advice to readers, nothing to run)",)

BLOCKS: Final[dict[tuple[str, str, int], tuple[str, ...]]] = {
    ("1. Subscribe to Booking Updates", "javascript", 0): (
        _SNIPPETS + "subscribing_to_a_booking",
        _SNIPPETS + "a_closed_booking_connection_says_so",
    ),
    ("1. Subscribe to Booking Updates", "dart", 0): (_SNIPPETS + "the_dart_example_finds_every_key_that_it_reads",),
    ("2. Subscribe to User Notifications", "javascript", 0): (_SNIPPETS + "subscribing_to_notifications",),
    ("Booking Status Update", "json", 0): (_EXAMPLES + "booking_status",),
    ("Location Update", "json", 0): (_EXAMPLES + "location_update_by_the_documented_request",),
    ("Connection Established", "json", 0): (_EXAMPLES + "connection_established",),
    ("Update Worker Location", "json", 0): (
        _EXAMPLES + "location_update_by_the_documented_request",
        _EXAMPLES + "the_timestamp_of_a_location_is_optional",
    ),
    ("Update Worker Location", "json", 1): (_EXAMPLES + "location_update_by_the_documented_request",),
    ("Client Reconnection", "javascript", 0): (_SNIPPETS + "reconnecting_with_backoff",),
    ("Example: Live Tracking Map", "javascript", 0): (_SNIPPETS + "the_live_map",),
}
"""Every code block but the shell's: heading, language, and which one of those."""

COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "pip install channels channels-redis daphne": (_COMMANDS + "what_pip_is_told_to_install_is_installed",),
    "REDIS_URL=redis://localhost:6379/0": _REDIS,
    "daphne -b 0.0.0.0 -p 8000 hunarmitra.asgi:application": (_COMMANDS + "the_servers_start_as_documented",),
    "uvicorn hunarmitra.asgi:application --host 0.0.0.0 --port 8000": (_COMMANDS + "the_servers_start_as_documented",),
    "daphne -b 0.0.0.0 -p 8000 -e ssl:443:privateKey=key.pem:certKey=cert.pem hunarmitra.asgi:application": (
        _COMMANDS + "the_tls_endpoint_serves_rest_and_connections",
    ),
    "npm install -g wscat": (_COMMANDS + "wscat_is_what_npm_installs",),
    'wscat -c "ws://localhost:8000/ws/bookings/abc-123/?token=YOUR_JWT_TOKEN"': (
        _COMMANDS + "wscat_connects_receives_and_gets_a_pong",
    ),
    '> {"type": "ping"}': (_COMMANDS + "wscat_connects_receives_and_gets_a_pong", _EXAMPLES + "ping_and_pong"),
    '< {"type": "pong"}': (_COMMANDS + "wscat_connects_receives_and_gets_a_pong", _EXAMPLES + "ping_and_pong"),
}

STATEMENTS: Final[dict[str, tuple[str, ...]]] = {
    "HunarMitra supports realtime updates via WebSockets using Django Channels.": (
        "integration/ws/test_channel_layer.py::test_an_ordinary_consumer_hears_a_bookings_events",
    ),
    "Clients can subscribe to booking channels to receive live status updates and location tracking.": (
        _SNIPPETS + "subscribing_to_a_booking",
    ),
    "**Endpoint:** `ws://localhost:8000/ws/bookings/{booking_id}/`": _BY_QUERY,
    "**Authentication:** JWT token required (query parameter)": (*_BY_QUERY, *_REJECTED),
    "**Authorized Users:**": _SUBSCRIBERS,
    "- Booking owner (employer)": _SUBSCRIBERS,
    "- Assigned worker": _SUBSCRIBERS,
    "- Admin/staff": _SUBSCRIBERS,
    "**Example Connection (JavaScript):**": (_SNIPPETS + "subscribing_to_a_booking",),
    "**Example Connection (Flutter):**": (_SNIPPETS + "the_dart_example_finds_every_key_that_it_reads",),
    "**Endpoint:** `ws://localhost:8000/ws/notifications/`": _BY_QUERY,
    "**Authentication:** JWT token required": _REJECTED,
    "**Receives:** All notifications for authenticated user": (
        "integration/ws/test_notifications.py::test_those_concerned_are_told_but_never_the_actor",
    ),
    "**Example:**": (_SNIPPETS + "subscribing_to_notifications",),
    "Sent when booking status changes.": (
        "integration/ws/test_events.py::test_the_life_of_a_booking_is_numbered_from_one_without_a_gap",
        "integration/ws/test_events.py::test_what_changes_nothing_emits_nothing",
    ),
    "**Status Values:**": _STATUSES,
    "- `requested` - Booking created": _STATUSES,
    "- `confirmed` - Booking confirmed": _STATUSES,
    "- `on_the_way` - Worker is on the way": _STATUSES,
    "- `arrived` - Worker has arrived": _STATUSES,
    "- `completed` - Service completed": _STATUSES,
    "- `cancelled` - Booking cancelled": _STATUSES,
    "Sent when worker updates their location.": (_EXAMPLES + "location_update_by_the_documented_request",),
    "Sent immediately after successful connection.": (_EXAMPLES + "connection_established",),
    "**POST** `/api/v1/tracking/{booking_id}/`": (_EXAMPLES + "location_update_by_the_documented_request",),
    "Update worker's current location for a booking.": (_EXAMPLES + "location_update_by_the_documented_request",),
    "**Authorization:** JWT token (worker or admin)": (_EXAMPLES + "who_may_post_a_location",),
    "**Request Body:**": (_EXAMPLES + "location_update_by_the_documented_request",),
    "**Response:**": (_EXAMPLES + "location_update_by_the_documented_request",),
    "**Rate Limit:** 1 request per 2 seconds": _RATE,
    "1. **Install dependencies:**": (_COMMANDS + "what_pip_is_told_to_install_is_installed",),
    "2. **Configure Redis** (for production):": _REDIS,
    "3. **Run ASGI server:**": (_COMMANDS + "the_servers_start_as_documented",),
    "- **Production:** Redis backend (`channels_redis`)": _REDIS,
    "- **Development/Testing:** In-memory backend": (
        "integration/ws/test_channel_layer.py::test_the_layer_does_what_channels_asks_of_one",
    ),
    "Configuration auto-selects based on `REDIS_URL` environment variable.": (
        *_REDIS,
        "unit/config/test_environment.py::test_what_depends_on_redis",
    ),
    "The `publish_event` helper tries multiple backends:": (_PUBLISHING + "the_layer_comes_first",),
    "1. **Django Channels** (WebSocket) - if installed": (_PUBLISHING + "the_layer_comes_first",),
    "2. **Redis PUBLISH** - if Redis available": (_PUBLISHING + "redis_takes_what_the_layer_does_not",),
    "3. **Logging** - always works": (_PUBLISHING + "the_log_is_last_and_says_what_did_not_go_out",),
    "This ensures the system works even without Channels installed.": (
        _PUBLISHING + "it_works_without_channels_installed",
    ),
    "- JWT token passed via query parameter: `?token=eyJ...`": _BY_QUERY,
    "- Alternative: `Sec-WebSocket-Protocol: jwt, <token>`": (
        _JOINING + "a_token_as_a_subprotocol_is_answered_with_jwt",
    ),
    "- Token validated using `rest_framework_simplejwt`": (
        "integration/document/test_coverage.py::test_tokens_are_simplejwts",
    ),
    "**Booking Channel:**": _SUBSCRIBERS,
    "- Owner can subscribe to their bookings": _SUBSCRIBERS,
    "- Assigned worker can subscribe": _SUBSCRIBERS,
    "- Admin/staff can subscribe to any booking": _SUBSCRIBERS,
    "- Others are rejected with close code 4003": _SUBSCRIBERS,
    "**User Notifications:**": _REJECTED,
    "- Only authenticated users": _REJECTED,
    "- Receives only own notifications": (
        "integration/ws/test_notifications.py::test_those_concerned_are_told_but_never_the_actor",
    ),
    "- `4001` - Unauthenticated (missing/invalid token)": (*_SUBSCRIBERS, *_REJECTED),
    "- `4003` - Unauthorized (not allowed to subscribe)": _SUBSCRIBERS,
    "Implement exponential backoff:": (_SNIPPETS + "reconnecting_with_backoff",),
    "1. **Keep-Alive:** Send ping every 30-60 seconds": (
        _SNIPPETS + "subscribing_to_a_booking",
        "integration/ws/test_idle.py::test_an_idle_connection_lives_on_and_hears_of_the_next_event",
    ),
    "2. **Reconnection:** Implement automatic reconnection with backoff": (_SNIPPETS + "reconnecting_with_backoff",),
    "3. **State Management:** Re-fetch booking state on reconnect": (
        "integration/ws/test_first_frame.py::test_a_booking_connection_begins_with_the_bookings_state",
    ),
    "4. **Battery:** On mobile, disconnect when app backgrounded": _ADVICE,
    "5. **Rate Limiting:** Don't update location more than once per 2 seconds": _RATE,
    "**Connection Refused:**": _ADVICE,
    "- Ensure ASGI server is running (not WSGI)": (_COMMANDS + "the_servers_start_as_documented",),
    "- Check firewall rules allow WebSocket connections": _ADVICE,
    "**Authentication Failed:**": _ADVICE,
    "- Verify JWT token is valid and not expired": (
        "integration/ws/test_expiry.py::test_an_expired_token_opens_nothing_once_the_leeway_is_over",
    ),
    "- Check token is passed in query parameter": _BY_QUERY,
    "**Messages Not Received:**": _ADVICE,
    "- Check Redis is running (production)": (
        "integration/faults/test_redis_outages.py::test_open_connections_are_complete_and_rest_goes_on_when_redis_was_away",
    ),
    "- Verify booking signals are publishing events": (
        "integration/ws/test_events.py::test_the_life_of_a_booking_is_numbered_from_one_without_a_gap",
    ),
    "- Check server logs for errors": (_PUBLISHING + "the_log_is_last_and_says_what_did_not_go_out",),
    "**High Latency:**": _ADVICE,
    "- Use Redis channel layer (not in-memory) in production": _REDIS,
    "- Ensure Redis is on same network/region": _ADVICE,
    "- Consider connection pooling": _ADVICE,
}
