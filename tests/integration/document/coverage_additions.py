"""Which tests hold for the additions of version 0.2 in `wire.md`, but for "Tokens"; see `coverage_api`."""

from __future__ import annotations

from typing import Final

_LIMITS: Final = "integration/ws/test_limits.py::test_"
_LOCATIONS: Final = "integration/ws/test_locations.py::test_"
_SENT: Final = "integration/ws/test_location_messages.py::test_"
_RESUME: Final = "integration/ws/test_resume.py::test_"
_AUTHENTICATE: Final = "integration/ws/test_authenticate.py::test_"
_NOTIFICATIONS: Final = "integration/ws/test_notifications.py::test_"
_SHARED: Final = "integration/ws/test_shared_connection.py::test_"
_LIVE: Final = "integration/ws/test_live.py::test_"
_SERVER: Final = "integration/server/test_"

STATEMENTS: Final[dict[str, tuple[str, ...]]] = {
    "Nothing above changes, but for who is closed at the limit of sockets.": (
        _LIMITS + "of_more_than_twenty_connections_of_a_user_the_newest_is_refused_4029",
    ),
    "Older clients keep working: keys and types they do not know are theirs to ignore.": (
        "unit/protocol/test_frames.py::test_the_documents_keys_come_first_and_in_its_order",
    ),
    "- **Over a connection**, from the assigned worker or staff…": (
        _SENT + "a_location_reaches_watchers_on_every_process_and_is_answered",
        _SENT + "staff_may_send_and_notifications_may_not",
    ),
    'Answers: `{"type":"location_accepted"…': (
        _SENT + "a_location_reaches_watchers_on_every_process_and_is_answered",
        _SENT + "a_bad_value_is_an_error_that_names_the_key",
        _SENT + "the_rules_and_codes_are_rests",
    ),
    "`id` is any string up to 36 characters of the client's.": (_SENT + "an_id_is_a_short_string",),
    "The rules are those of `POST tracking/{booking_id}/`, and both count together…": (
        _SENT + "of_locations_by_rest_and_by_connections_at_once_one_is_accepted",
    ),
    "- **Pace.** `next_in_ms`…": (
        "unit/tracking/test_pace.py::test_a_watcher_is_never_more_than_four_seconds_behind",
        _LOCATIONS + "the_pace_follows_who_watches",
    ),
    'When that becomes shorter, the worker\'s connection gets `{"type":"pace","booking_id","next_in_ms"}`.': (
        _SENT + "a_worker_learns_at_once_that_somebody_watches",
    ),
    "Sending sooner, down to 2 s, is allowed.": ("integration/rest/test_throttles.py::test_limits",),
    "- **Optional keys**, passed on in `location_update`…": (
        _LOCATIONS + "what_a_phone_tells_of_its_fix_reaches_watchers_and_rest",
        _LOCATIONS + "a_bad_value_of_a_fix_is_an_error_that_names_it",
    ),
    "A location worse than 200 m, or at exactly 0,0…": (_LOCATIONS + "a_vague_location_is_accepted_and_marked",),
    "- **An array** as the body of `POST tracking/{booking_id}/`…": (_LOCATIONS + "of_an_array_the_newest_counts",),
    "There is no history of locations: that is a decision (privacy), not an omission.": (
        "unit/locations/test_fixes.py::test_fixes_of_every_two_seconds_span_more_than_a_minute",
    ),
    "- **The estimate** is one value…": (_LOCATIONS + "an_estimate_is_a_whole_number_of_minutes_from_one",),
    # One connection
    "Handshake, tokens, tickets, Origin, rejection, limits,…": (
        _SHARED + "a_rejected_connection_is_told_why",
        _AUTHENTICATE + "a_good_token_is_answered_with_its_expiry",
        _SERVER + "drain.py::test_clients_that_resume_elsewhere_miss_nothing",
        "integration/metrics/test_moving.py::test_an_acknowledgement_of_a_shared_connection_names_the_channel",
    ),
    'First frame: `{"type":"connected",…': (_SHARED + "the_first_frame_tells_how_many_subscriptions_are_allowed",),
    '- `{"type":"subscribe","channel":"booking",…': (
        _SHARED + "one_connection_brings_several_bookings_and_the_notifications",
        _RESUME + "every_later_event_follows_then_live",
        "integration/faults/test_join_races.py::test_what_happens_during_a_join_is_seen_exactly_once",
    ),
    'Notification frames have `"channel":"notifications"` too.': (
        _SHARED + "one_connection_brings_several_bookings_and_the_notifications",
        _NOTIFICATIONS + "marking_as_read_counts_what_is_left",
    ),
    "Subscribing again with another `since` starts anew.": (
        _SHARED + "subscribing_again_begins_anew_and_takes_no_second_place",
    ),
    'A list, `"booking_ids":[…]` with…': (
        _SHARED + "a_list_is_one_request_with_a_number_for_each_booking",
        "services/test_joins.py::test_five_hundred_bookings_are_joined_with_a_few_queries",
    ),
    '- `{"type":"subscribe","channel":"live",…': (
        _LIVE + "pages_have_every_tracked_booking_and_then_its_events_and_locations_come",
        _LIVE + "a_box_shows_what_is_in_it_and_tells_what_left",
        _LIVE + "of_many_locations_the_newest_comes_at_the_rate_that_was_asked_for_and_every_event",
        _LIVE + "only_staff_may_and_only_while_they_are",
    ),
    "Without resume: after a reconnect, pages again.": (
        _LIVE + "unsubscribing_ends_it_and_subscribing_again_sends_pages_again",
    ),
    '- `{"type":"unsubscribe",…}` → …': (
        _SHARED + "after_unsubscribe_nothing_more_comes_and_another_may_be_subscribed",
    ),
    "A subscription refused or ended by the server:…": (
        _SHARED + "a_refused_subscription_tells_the_code_and_the_connection_lives",
        _SHARED + "a_right_that_ends_ends_one_subscription_and_no_other",
        _SHARED + "one_subscription_above_the_limit_is_refused_4029",
    ),
    "`?cursor=` (opaque, from `next` and `previous` of the answer to `?cursor=` alone) beside page numbers…": (
        "services/test_cursors.py::test_rows_of_the_start_come_exactly_once_and_in_order",
        "integration/rest/test_cursors.py::test_bookings_that_arrive_while_one_reads_move_nothing",
        "integration/rest/test_cursors.py::test_a_worker_reads_own_orders_and_jobs_once",
        "integration/rest/test_cursors.py::test_notifications_and_workers_have_cursors_too",
    ),
}
