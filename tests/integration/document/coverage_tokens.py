"""Which tests hold for the section "Tokens" of `wire.md`; see `coverage_api`."""

from __future__ import annotations

from typing import Final

STATEMENTS: Final[dict[str, tuple[str, ...]]] = {
    "A repeat of `auth/refresh/` with the token just spent…": (
        "integration/rest/test_refresh_races.py::test_one_successor_whoever_is_first",
        "integration/rest/test_refresh_races.py::test_a_lost_answer_costs_nobody_the_session",
        "integration/rest/test_auth.py::test_simultaneous_exchanges_get_one_successor",
        "services/test_refresh.py::test_a_repeat_returns_the_same_refresh_token",
    ),
    "A later reuse ends the session (401, code `session_reused`)…": (
        "integration/rest/test_auth.py::test_a_repeat_after_the_grace_ends_the_session",
        "integration/ws/test_revocation.py::test_a_reused_refresh_token_closes_the_sessions_sockets_and_no_other",
        "services/test_refresh.py::test_a_later_use_ends_the_session_and_is_told",
    ),
}
