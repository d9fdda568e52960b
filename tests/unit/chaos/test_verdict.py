"""The verdict of tests/e2e/chaos sees each kind of violation."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.e2e.chaos.verdict import SIGNED_IN, UNANSWERED, Acknowledged, Clients, Watched, violations

LOG = [(1, "requested"), (2, "confirmed"), (3, "on_the_way"), (4, "arrived"), (5, "completed")]
DATABASE = {"b": LOG}
SEEN = Watched("c", "b", LOG, [(3, 100.0), (3, 102.5), (4, 102.5)])
ACKNOWLEDGED = Acknowledged("b", "arrived", 4)


def of(
    seen: Watched = SEEN, write: Acknowledged = ACKNOWLEDGED, answers: dict[str, int] | None = None, refused: str = ""
) -> list[str]:
    clients = Clients([seen], [write], Counter(answers), [refused] if refused else [])
    return violations(clients, DATABASE)


def test_a_run_without_a_violation() -> None:
    assert of(answers={"200": 9, "503": 4, "ConnectError": 2}) == []


@pytest.mark.parametrize(
    "log",
    [
        LOG[:-1],
        LOG[1:],
        [*LOG[:2], *LOG[3:]],
        [*LOG, LOG[-1]],
        [LOG[1], LOG[0], *LOG[2:]],
        [*LOG[:4], (5, "cancelled")],
        [],
    ],
    ids=["the last is missing", "the first is missing", "a gap", "twice", "disorder", "another status", "empty"],
)
def test_a_log_that_is_not_the_databases(log: list[tuple[int, str]]) -> None:
    [said] = of(replace(SEEN, log=log))
    assert said.startswith("client c, booking b: its log is")


def test_a_log_of_a_booking_that_the_database_does_not_have() -> None:
    assert any("its log is" in said for said in of(replace(SEEN, booking="lost")))


def test_a_client_that_gave_up() -> None:
    assert of(replace(SEEN, problem="closed: forbidden")) == ["client c, booking b: closed: forbidden"]


def test_a_location_older_than_its_predecessor() -> None:
    [said] = of(replace(SEEN, locations=[(3, 102.0), (3, 101.5)]))
    assert said == "client c, booking b: a location of 101.500 was shown after one of 102.000"


def test_a_location_after_the_end() -> None:
    [said] = of(replace(SEEN, locations=[(3, 102.0), (5, 103.0)]))
    assert said == "client c, booking b: 1 locations were shown after the end of the booking"


@pytest.mark.parametrize("write", [Acknowledged("b", "arrived", 3), Acknowledged("b", "cancelled", 6)])
def test_an_acknowledged_change_that_is_not_in_the_database(write: Acknowledged) -> None:
    [said] = of(write=write)
    assert f"{write.status} was acknowledged as event {write.seq}" in said


def test_an_acknowledged_booking_that_is_not_in_the_database() -> None:
    [said] = of(write=Acknowledged("lost", "requested", 1))
    assert said == "booking lost: created and acknowledged, and not in the database"


def test_a_gap_in_the_databases_numbers() -> None:
    log = [LOG[0], *LOG[2:]]
    clients = Clients([replace(SEEN, log=log)])
    [said] = violations(clients, {"b": log})
    assert "the database's numbers have a gap" in said


def test_a_refused_request() -> None:
    assert of(refused="409 PATCH status") == ["a correct request was refused: 409 PATCH status"]


def test_an_answer_500() -> None:
    assert of(answers={"200": 5, "500": 2}) == ["2 requests had the outcome 500"]


def test_the_reports_of_processes_are_added() -> None:
    report = {
        "watched": [{"client": "c", "booking": "b", "log": LOG, "locations": [(3, 1.5)], "problem": ""}],
        "acknowledged": [{"booking": "b", "status": "arrived", "seq": 4}],
        "answers": {"200": 2},
        "refused": ["x"],
        "locations": 3,
    }
    whole = Clients.of([report, report])
    assert whole.watched == [Watched("c", "b", LOG, [(3, 1.5)])] * 2
    assert whole.acknowledged == [ACKNOWLEDGED] * 2
    assert (whole.answers, whole.refused, whole.locations) == (Counter({"200": 4}), ["x", "x"], 6)


def test_a_session_that_ended_after_a_refresh_without_an_answer() -> None:
    assert of(answers={SIGNED_IN: 1, UNANSWERED: 1}) == []


def test_a_session_that_ended_although_every_refresh_was_answered() -> None:
    assert of(answers={SIGNED_IN: 2, UNANSWERED: 1}) == ["2 sessions ended, and only 1 refreshes had no answer"]
