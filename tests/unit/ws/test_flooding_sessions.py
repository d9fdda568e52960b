"""For how long, and for how many sessions, a flood is remembered."""

from __future__ import annotations

import logging
from uuid import uuid4

import pytest

from hunarmitra_ws.flooding_sessions import MOST_SESSIONS, FloodingSessions


def test_a_session_is_refused_for_the_wait_and_others_are_not() -> None:
    flooding, session = FloodingSessions(10), uuid4()
    flooding.record(session, 100.0)
    assert flooding.remaining(session, 100.0) == 10
    assert flooding.remaining(session, 109.5) == 0.5
    assert flooding.remaining(uuid4(), 100.0) == 0
    assert flooding.remaining(session, 110.0) == 0
    assert flooding.remaining(session, 100.0) == 0, "it is forgotten"


def test_a_second_flood_begins_a_new_wait() -> None:
    flooding, session = FloodingSessions(10), uuid4()
    flooding.record(session, 100.0)
    flooding.record(session, 105.0)
    assert flooding.remaining(session, 114.0) == 1


def test_a_session_is_logged_once_in_a_wait(caplog: pytest.LogCaptureFixture) -> None:
    flooding, session = FloodingSessions(10), uuid4()
    with caplog.at_level(logging.WARNING):
        for now in (100.0, 105.0, 114.0, 130.0):
            flooding.record(session, now)
    assert [record.getMessage() for record in caplog.records] == [
        f"session {session} sent too many frames: refused for 10 s"
    ] * 2


def test_no_wait_remembers_nothing() -> None:
    flooding, session = FloodingSessions(0), uuid4()
    flooding.record(session, 100.0)
    assert flooding.remaining(session, 100.0) == 0


def test_a_flood_of_sessions_fills_no_memory() -> None:
    flooding = FloodingSessions(10)
    first, second = uuid4(), uuid4()
    for session in (first, second, *(uuid4() for _ in range(MOST_SESSIONS - 2)), first, uuid4()):
        flooding.record(session, 100.0)
    assert flooding.remaining(first, 101.0) == 9, "the newest flood counts"
    assert flooding.remaining(second, 101.0) == 0
