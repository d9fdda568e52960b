"""Every behaviour that a client can see, through the ingress: the suites of tests/integration, collected once more.

The suites left out start servers with settings of their own, read their logs or ask for their metrics.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

SUITES = {
    "ws": (
        *("authenticate", "client_messages", "events", "first_frame", "joining", "notifications", "origin"),
        *("locations", "resume", "resume_under_load", "revocation"),
    ),
    "rest": ("auth", "bad_input", "endpoints", "idempotency", "transitions"),
}

OTHERWISE = {
    # They ask for a process's port, key or log.
    *("one_byte_more_is_closed_1009", "the_servers_own_host_and_port_may"),
    *("the_own_host_under_another_port_gets_http_403", "forged_tokens_are_refused", "no_token_is_in_any_log"),
    "a_rejected_origin_is_logged_once_with_the_setting",
    # The ingress refuses these itself, in words of its own.
    *("an_unknown_booking_is_4003_for_everyone_but_staff_who_get_4004", "an_id_that_is_no_uuid_is_404"),
    "a_body_over_the_limit_is_413_however_it_comes",
    # It judges when each message comes, and a network bunches them.
    "ten_messages_a_second_after_a_burst_of_twenty_are_allowed",
    # The suites of WebSockets want locations to follow each other at once.
    "a_second_location_within_two_seconds_is_429_with_whole_seconds",
}
"""Tests of these suites that cannot hold here, for the reason above each."""


def collected() -> dict[str, Any]:
    """The tests under names that say whence they are; fixtures and marks of each module with them."""
    found: dict[str, Any] = {}
    for folder, names in SUITES.items():
        for name in names:
            module = import_module(f"tests.integration.{folder}.test_{name}")
            for key, value in vars(module).items():
                if key.removeprefix("test_") in OTHERWISE:
                    continue
                if key.startswith("test_"):
                    found[f"test_{folder}_{name}_{key.removeprefix('test_')}"] = value
                elif type(value).__name__ == "FixtureFunctionDefinition":
                    found[key] = value
    return found


globals().update(collected())
