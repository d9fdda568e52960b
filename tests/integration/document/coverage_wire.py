"""Which tests hold for which row of `wire.md`, in its order; see `coverage_api`."""

from __future__ import annotations

from typing import Final

_JOINING: Final = "integration/ws/test_joining.py::test_"
_ORIGIN: Final = "integration/ws/test_origin.py::test_"
_FIRST: Final = "integration/ws/test_first_frame.py::test_"
_LIMITS: Final = "integration/ws/test_limits.py::test_"
_EVENTS: Final = "integration/ws/test_events.py::test_"
_LOCATIONS: Final = "integration/ws/test_locations.py::test_"
_LANES: Final = "integration/ws/test_lanes.py::test_"
_RESUME: Final = "integration/ws/test_resume.py::test_"
_LOAD: Final = "integration/ws/test_resume_under_load.py::test_resuming_connections_miss_and_repeat_nothing"
_MESSAGES: Final = "integration/ws/test_client_messages.py::test_"
_AUTHENTICATE: Final = "integration/ws/test_authenticate.py::test_"
_EXPIRY: Final = "integration/ws/test_expiry.py::test_"
_REVOCATION: Final = "integration/ws/test_revocation.py::test_"
_NOTIFICATIONS: Final = "integration/ws/test_notifications.py::test_"
_SECRETS: Final = "integration/ws/test_secrets_in_logs.py::test_"
_EXAMPLES: Final = "integration/document/test_examples.py::test_"
_REST: Final = "integration/rest/test_endpoints.py::test_"
_AUTH: Final = "integration/rest/test_auth.py::test_"
_BAD: Final = "integration/rest/test_bad_input.py::test_"
_MATRIX: Final = "services/test_bookings.py::test_every_transition_for_everybody"
_OPENAPI: Final = "integration/rest/test_openapi.py::test_"
_SERVER: Final = "integration/server/test_"
_CLIENT: Final = "clients/js/test/"

_CREDENTIALS: Final = (
    _JOINING + "a_token_in_the_query_opens_both_endpoints",
    _JOINING + "a_token_as_a_subprotocol_is_answered_with_jwt",
    _JOINING + "jwt_is_selected_on_a_rejecting_accept_too",
    _JOINING + "a_ticket_opens_a_connection_once",
    _JOINING + "of_simultaneous_uses_of_a_ticket_one_gets_in",
    _JOINING + "a_ticket_lasts_thirty_seconds_and_has_its_tokens_session_and_expiry",
    _JOINING + "a_ticket_of_a_session_that_was_ended_opens_nothing",
    _JOINING + "another_users_ticket_gives_that_users_rights_and_no_more",
    _EXPIRY + "a_ticket_that_was_not_used_in_time_opens_nothing",
)
_RESYNC: Final = (
    _RESUME + "what_cannot_be_replayed_gets_resync_required_and_then_live",
    _RESUME + "a_log_of_several_pages_arrives_whole_and_then_live",
    _RESUME + "a_pruned_bookings_log_is_not_replayed_in_part",
    _RESUME + "pruned_notifications_are_not_replayed_in_part",
    "integration/ws/test_restored_backup.py::test_a_restored_backup_makes_connections_fetch_their_state_anew",
)
_ORDERED: Final = (
    _LOCATIONS + "an_older_location_is_never_sent_after_a_newer_one",
    _LOCATIONS + "two_locations_of_one_time_are_both_sent",
    _LOCATIONS + "a_location_from_the_future_counts_from_its_receipt",
    "unit/ws/test_channel.py::test_older_and_void_locations_are_dropped",
)
_CLOSED_4001: Final = (
    _JOINING + "what_is_no_valid_credential_is_4001_on_both_endpoints",
    _JOINING + "no_credential_is_4001_whether_or_not_the_booking_exists",
    _JOINING + "tokens_of_deleted_deactivated_and_signed_out_users_are_4001",
    _EXPIRY + "a_connection_is_closed_4001_after_its_tokens_expiry_and_the_leeway_not_before",
    _REVOCATION + "a_deactivated_users_connections_are_closed_4001",
    _CLIENT + "close-codes.test.js::4001: a new token, then at once with since",
)
_RATE_LIMITED: Final = (
    _MESSAGES + "too_many_messages_get_one_error_and_4029",
    _MESSAGES + "wrong_messages_count_like_others",
    _MESSAGES + "ten_messages_a_second_after_a_burst_of_twenty_are_allowed",
)

STATEMENTS: Final[dict[str, tuple[str, ...]]] = {
    "`realtime-api.md` beside this file is the contract.": (
        "integration/document/test_coverage.py::test_every_statement_is_claimed",
    ),
    "Every example in it must work as written,…": (
        "integration/document/test_coverage.py::test_every_example_and_command_is_claimed",
    ),
    "Extra keys may be added, none renamed.": (
        _EXAMPLES + "booking_status",
        "unit/protocol/test_frames.py::test_the_documents_keys_come_first_and_in_its_order",
    ),
    "This page decides what it leaves open and what we add.": ("(what the page is for)",),
    "Where the two disagree, `realtime-api.md` wins.": ("(what the page is for)",),
    # Joining
    "- A token comes as `?token=`, as…": _CREDENTIALS,
    "No token or ticket is ever logged.": (
        _SECRETS + "no_way_to_join_or_to_fail_leaves_a_secret_in_the_log",
        _SECRETS + "a_traceback_that_quotes_the_url_leaves_no_secret_in_the_log",
        "unit/common/test_redaction.py::test_credentials_are_replaced",
    ),
    "- A rejection is visible to the client: accept, one…": (
        _JOINING + "a_closed_connection_says_why_after_it_was_accepted",
        _JOINING + "what_is_no_valid_credential_is_4001_on_both_endpoints",
    ),
    "Closing before accept shows every client HTTP 403 / 1006 instead,…": (
        _ORIGIN + "any_other_origin_gets_http_403",
        _JOINING + "a_closed_connection_says_why_after_it_was_accepted",
    ),
    "- A missing `Origin` (native apps, wscat) is allowed;…": (
        _ORIGIN + "native_apps_send_no_origin_and_may",
        _ORIGIN + "a_listed_origin_may",
        _ORIGIN + "the_servers_own_host_and_port_may",
        _ORIGIN + "any_other_origin_gets_http_403",
        _ORIGIN + "the_own_host_under_another_port_gets_http_403",
        _ORIGIN + "what_is_no_origin_is_refused_too",
        _ORIGIN + "a_refused_origin_spends_no_ticket",
        "unit/ws/test_handshake.py::test_the_origin_rule",
    ),
    "`null` is refused.": (_ORIGIN + "any_other_origin_gets_http_403",),
    "- A booking id that does not exist, or is no UUID,…": (
        _JOINING + "an_unknown_booking_is_4003_for_everyone_but_staff_who_get_4004",
    ),
    "- First frame: `connection_established` with the document's keys plus…": (
        _FIRST + "a_booking_connection_begins_with_the_bookings_state",
        _FIRST + "the_snapshots_location_has_the_keys_of_a_location_update",
        _FIRST + "a_requested_booking_has_a_status_and_no_location",
        _RESUME + "every_later_event_follows_then_live",
        _CLIENT + "heartbeat.test.js::no pong within 10 s: the peer is dead",
    ),
    'On notifications: message "Connected to notifications",…': (
        _FIRST + "a_notification_connection_begins_with_the_users_newest_seq",
    ),
    "- At most 20 sockets per user in one process…": (
        _LIMITS + "of_more_than_twenty_connections_of_a_user_the_newest_is_refused_4029",
        _LIMITS + "the_oldest_connection_gives_way_once_it_has_been_silent_for_two_heartbeats",
        _LIMITS + "an_address_that_fails_sixty_times_a_minute_is_left_waiting",
        _LIMITS + "the_failures_of_an_address_are_forgotten_after_a_minute",
        "unit/config/test_environment.py::test_nothing_set_gives_the_defaults",
    ),
    # Events
    "- `booking_status` carries `seq`: 1, 2, 3…": (
        _EVENTS + "the_life_of_a_booking_is_numbered_from_one_without_a_gap",
        _LOAD,
    ),
    "REST shows the same number…": (_EVENTS + "the_life_of_a_booking_is_numbered_from_one_without_a_gap",),
    "`GET …/events/?since=` lists the events).": (
        _EVENTS + "the_life_of_a_booking_is_numbered_from_one_without_a_gap",
        _REST + "the_event_log_is_numbered_and_can_be_read_from_a_number",
    ),
    "- Creation is seq 1, `booking_requested`.": (
        _EVENTS + "the_life_of_a_booking_is_numbered_from_one_without_a_gap",
    ),
    "Assigning a worker is `booking_assigned`…": (
        _EVENTS + "the_life_of_a_booking_is_numbered_from_one_without_a_gap",
        _EVENTS + "a_reassignment_is_booking_assigned_with_the_status_the_booking_has",
    ),
    "Every other `event_type` is `booking_<status>`.": (
        _EVENTS + "the_life_of_a_booking_is_numbered_from_one_without_a_gap",
        _EVENTS + "a_cancellation_and_a_confirmation_by_the_owner_are_events_too",
    ),
    "- `timestamp` is UTC, RFC 3339, ending in `Z`;…": (
        _EVENTS + "the_life_of_a_booking_is_numbered_from_one_without_a_gap",
        _LOCATIONS + "a_location_has_the_documented_keys_and_numbers",
        _LOCATIONS + "a_naive_timestamp_is_an_error_and_reaches_nobody",
        "unit/common/test_clock.py::test_any_offset_is_understood",
    ),
    "- `actor` is the display name of the person who acted, never a phone number;": (
        _EVENTS + "the_actor_is_a_display_name_never_a_phone_number",
    ),
    "`System` when no person did.": (_EVENTS + "the_actor_of_what_no_person_did_is_system",),
    "- `location_update` carries `eta_minutes`,…": (
        _LOCATIONS + "an_estimate_is_a_whole_number_of_minutes_from_one",
        _LOCATIONS + "a_location_has_the_documented_keys_and_numbers",
    ),
    "- Positions are ordered by min(their timestamp, the server's time of receipt).": _ORDERED,
    "Never an older position after a newer one.": _ORDERED,
    '- A notification frame is `{"type":"notification",…': (
        _NOTIFICATIONS + "a_notification_has_exactly_the_documented_keys",
    ),
    "`seq` is gap-free per user.": (
        _NOTIFICATIONS + "those_concerned_are_told_but_never_the_actor",
        _LOAD,
    ),
    # Resuming
    "`?since=<seq>` (`[0-9]{1,18}`;…": (
        _RESUME + "every_later_event_follows_then_live",
        _RESUME + "a_replayed_frame_is_what_was_sent_live",
        _RESUME + "without_since_there_is_no_replay",
        _RESUME + "leading_zeros_are_a_number_all_the_same",
        _LOAD,
        "integration/faults/test_join_races.py::test_what_happens_during_a_join_is_seen_exactly_once",
    ),
    "With `since`, the client keeps the `seq` of events it has processed, not the snapshot's.": (
        _CLIENT + "resume.test.js::with since: the number stays that of the events processed",
    ),
    "When the log cannot be replayed…": _RESYNC,
    "Both endpoints alike.": (_RESUME + "every_later_event_follows_then_live", *_RESYNC),
    "Status events are never lost, repeated or reordered for a client that resumes.": (
        _LOAD,
        "integration/faults/test_killed_services.py::test_clients_of_a_killed_ws_process_resume_on_another",
    ),
    "Locations are latest-wins:…": (
        _LANES + "of_waiting_locations_only_the_newest_is_sent_and_after_every_status",
        _LANES + "locations_never_overflow_a_buffer",
        "unit/ws/test_direct_lanes.py::test_a_client_that_does_not_read_gets_the_newest_location_and_every_event",
    ),
    "A worker's position is visible only while…": (
        _LOCATIONS + "a_location_may_be_posted_and_seen_while_confirmed_on_the_way_and_arrived",
        _LOCATIONS + "nothing_of_the_location_is_left_after_the_end",
        _LOCATIONS + "a_reassignment_hides_the_former_workers_location",
        _LANES + "a_waiting_location_is_forgotten_when_it_may_no_longer_be_seen",
    ),
    # Client messages
    '`{"type":"ping"}` → `{"type":"pong"}`.': (_MESSAGES + "ping_gets_pong",),
    '`{"type":"authenticate","token":…}` → …': (
        _AUTHENTICATE + "a_good_token_is_answered_with_its_expiry",
        _AUTHENTICATE + "a_bad_token_is_invalid_token_and_the_connection_lives_on",
        _AUTHENTICATE + "another_users_token_closes_4003",
        _AUTHENTICATE + "the_connection_then_belongs_to_the_tokens_session",
        _EXPIRY + "authenticate_keeps_a_connection_open_until_the_new_expiry",
    ),
    'On notifications `{"type":"mark_read","id":…}` → …': (
        _NOTIFICATIONS + "marking_as_read_counts_what_is_left",
        _NOTIFICATIONS + "an_id_that_the_user_has_no_notification_of_is_not_found",
        _NOTIFICATIONS + "what_rest_marks_is_read_for_connections_too",
        _MESSAGES + "mark_read_is_unknown_on_a_booking_connection",
    ),
    "Anything else → an `error` frame:…": (
        _MESSAGES + "what_is_no_json_is_invalid_json",
        _MESSAGES + "no_object_binary_and_wrong_types_are_invalid_message",
        _MESSAGES + "mark_read_needs_an_id_that_is_a_string",
        _MESSAGES + "a_type_that_is_not_known_is_unknown_type",
    ),
    "Over 16 KiB: 1009.": (
        _MESSAGES + "a_message_of_16_kib_is_taken",
        _MESSAGES + "one_byte_more_is_closed_1009",
        _MESSAGES + "a_message_beyond_the_servers_own_limit_is_closed_too",
        _SERVER + "limits.py::test_our_server_closes_1009_with_its_code",
    ),
    "Over 10 messages/s (burst 20): one error `rate_limited`, then 4029.": _RATE_LIMITED,
    # Close codes
    "| code | meaning | client |": ("(the table's head)",),
    "| 4001 | unauthenticated:…": _CLOSED_4001,
    "| 4003 | not allowed, or no longer…": (
        _JOINING + "who_takes_part_may_watch_and_others_are_4003",
        _REVOCATION + "a_removed_staff_right_closes_what_only_it_allowed",
        _REVOCATION + "a_reassignment_closes_the_former_workers_connections_of_that_booking",
    ),
    "| 4004 | no such booking (staff only)…": (
        _JOINING + "an_unknown_booking_is_4003_for_everyone_but_staff_who_get_4004",
    ),
    "| 4008 | too slow:…": (
        _LANES + "a_send_buffer_that_overflows_is_closed_4008",
        _SERVER + "limits.py::test_a_client_that_does_not_read_is_closed_4008_and_then_aborted",
        _CLIENT + "close-codes.test.js::4008: at once with since",
    ),
    "| 4012 | server is draining;…": (
        _SERVER + "drain.py::test_sigterm_moves_everybody_away_spread_over_the_window_and_exits_0",
        _CLIENT + "close-codes.test.js::4012: after after_ms with since",
    ),
    "| 4013 | this server is full…": (_SERVER + "limits.py::test_a_full_server_says_so",),
    "| 4029 | too many messages or sockets…": (
        _LIMITS + "of_more_than_twenty_connections_of_a_user_the_newest_is_refused_4029",
        _LIMITS + "the_oldest_connection_gives_way_once_it_has_been_silent_for_two_heartbeats",
        *_RATE_LIMITED,
    ),
    "Backoff: full jitter, 1 s doubling to 30 s.": (
        _CLIENT + "close-codes.test.js::backoff: full jitter under a ceiling from 1 s, doubling, to 30 s",
    ),
    "Our own ws server keeps this table;…": (
        _SERVER + "limits.py::test_our_server_closes_1009_with_its_code",
        _MESSAGES + "one_byte_more_is_closed_1009",
    ),
    "A token carries a session id (`sid`) that rotation keeps.": (
        _REVOCATION + "rotating_a_refresh_token_closes_nothing",
        _AUTH + "a_refresh_token_is_exchanged_once_and_its_access_tokens_live_on",
    ),
    "A socket is closed 4001 when its token's `exp` passes without `authenticate`…": (
        _EXPIRY + "a_connection_is_closed_4001_after_its_tokens_expiry_and_the_leeway_not_before",
        _EXPIRY + "an_expired_token_opens_nothing_once_the_leeway_is_over",
        _REVOCATION + "a_logout_closes_the_sessions_connections_and_no_other",
        _REVOCATION + "a_deactivated_users_connections_are_closed_4001",
        _REVOCATION + "a_deleted_users_connections_are_closed_4001",
        _REVOCATION + "a_changed_password_closes_every_connection",
        _REVOCATION + "a_reassignment_closes_the_former_workers_connections_of_that_booking",
        _REVOCATION + "a_worker_who_gets_the_booking_back_may_watch_again",
    ),
    "Rotating a refresh token closes nothing.": (_REVOCATION + "rotating_a_refresh_token_closes_nothing",),
    # REST
    'Every error is `{"detail","code"}`, a 400 adds `fields`.': (
        _OPENAPI + "every_operation_documents_its_errors_in_the_one_shape",
        _BAD + "a_wrong_location_is_400_and_names_the_field",
    ),
    "Who may not see a booking gets 404;…": (
        _REST + "a_booking_is_seen_by_its_people_and_is_404_for_others",
        _REST + "who_may_post_locations_and_when",
        _EXAMPLES + "who_may_post_a_location",
    ),
    "| call | who | answer |": ("(the table's head)",),
    "| `POST auth/token/`, `auth/refresh/`,…": (
        _AUTH + "signing_in_gives_a_pair_of_tokens_of_one_session",
        _AUTH + "a_refresh_token_is_exchanged_once_and_its_access_tokens_live_on",
        _AUTH + "verify_tells_whether_a_token_holds",
        _AUTH + "signing_out_ends_this_session_and_no_other",
    ),
    "| `GET users/me/`; `GET workers/` |…": (
        _REST + "me_tells_id_name_and_role",
        _REST + "workers_are_listed_for_staff_with_their_availability",
    ),
    "| `POST realtime/tickets/` |…": (
        _REST + "a_ticket_is_issued_once_for_each_request",
        _JOINING + "a_ticket_lasts_thirty_seconds_and_has_its_tokens_session_and_expiry",
    ),
    "| `GET/POST bookings/`, `GET bookings/{id}/` |…": (
        _REST + "a_created_booking_has_every_field_of_the_table",
        _REST + "a_booking_is_seen_by_its_people_and_is_404_for_others",
        _REST + "workers_do_not_create_bookings_and_staff_may",
        _REST + "lists_have_pages_newest_first_and_a_filter",
        "integration/rest/test_idempotency.py::test_a_repeated_key_gets_the_first_booking_and_says_so",
    ),
    "| `PATCH bookings/{id}/status/`…": (
        _MATRIX,
        "integration/rest/test_transitions.py::test_seq_makes_it_compare_and_set",
        "integration/rest/test_transitions.py::test_a_compare_and_set_whose_answer_was_lost_may_be_repeated",
        "integration/rest/test_transitions.py::test_an_eta_is_kept_and_told",
    ),
    "| `POST bookings/{id}/assign/`…": (
        _REST + "who_may_assign_and_whom",
        _REST + "assigning_confirms_tells_the_worker_and_takes_the_booking_from_the_worker_before",
    ),
    "| `GET bookings/{id}/events/?since=` |…": (_REST + "the_event_log_is_numbered_and_can_be_read_from_a_number",),
    "| `POST tracking/{booking_id}/` |…": (
        _REST + "a_location_is_answered_as_documented_and_can_be_read",
        _REST + "who_may_post_locations_and_when",
        _REST + "a_second_location_within_two_seconds_is_429_with_whole_seconds",
        _BAD + "a_wrong_location_is_400_and_names_the_field",
        _BAD + "a_location_older_than_the_last_is_409",
        "integration/rest/test_tracking_race.py::test_exactly_one_of_200_simultaneous_locations_is_accepted",
    ),
    "| `GET tracking/{booking_id}/` |…": (
        _REST + "a_location_is_answered_as_documented_and_can_be_read",
        _LOCATIONS + "nothing_of_the_location_is_left_after_the_end",
    ),
    "| `GET notifications/`, `PATCH notifications/{id}/mark_read/`,…": (
        _REST + "notifications_reach_those_concerned_and_can_be_marked",
        _NOTIFICATIONS + "what_rest_marks_is_read_for_connections_too",
    ),
    "Transitions: requested→confirmed…": (
        _MATRIX,
        "unit/bookings/test_transitions.py::test_every_pair_for_every_set_of_parts",
    ),
    "Judged under the booking's lock…": (
        _MATRIX,
        _EVENTS + "what_changes_nothing_emits_nothing",
    ),
    "A status event also creates the notifications of those concerned (never of the actor).": (
        _NOTIFICATIONS + "those_concerned_are_told_but_never_the_actor",
    ),
    "The hourly user throttle must not hit a worker who posts every 2 s.": (
        "integration/rest/test_throttles.py::test_limits",
    ),
    "Roles: `employer`, `worker`, `admin`;": (_REST + "me_tells_id_name_and_role",),
    "`is_staff` counts as admin.": (_REVOCATION + "a_removed_staff_right_closes_what_only_it_allowed",),
    "Ids are UUIDs.": (_JOINING + "an_unknown_booking_is_4003_for_everyone_but_staff_who_get_4004",),
}
