"""What a process says about its database."""

from __future__ import annotations

import logging

import pytest

from hunarmitra.database.state import MEANING, DatabaseState, Problem, problem_of_connect
from hunarmitra.telemetry import database as metrics
from hunarmitra.telemetry.labels import DATABASE_PROBLEMS

REFUSED = "- host: 'h1', port: '5432', hostaddr: '10.0.0.1': connection failed: Connection refused"
FAILED = 'connection to server at "10.0.0.2", port 5432 failed: '


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (REFUSED, Problem.UNREACHABLE),
        ("connection timeout expired", Problem.UNREACHABLE),
        (f"{FAILED}session is read-only", Problem.READ_ONLY),
        (f"{FAILED}server is in hot standby mode", Problem.READ_ONLY),
        (f"{REFUSED}\n- host: 'h2': connection failed: {FAILED}session is read-only", Problem.READ_ONLY),
        (f"{FAILED}FATAL:  sorry, too many clients already", Problem.NO_SLOT),
        (f"{FAILED}FATAL:  remaining connection slots are reserved for roles with …", Problem.NO_SLOT),
        (f'{FAILED}FATAL:  too many connections for role "hunarmitra"', Problem.NO_SLOT),
        (f'{FAILED}FATAL:  too many connections for database "hunarmitra"', Problem.NO_SLOT),
    ],
)
def test_a_failed_connect_says_why(text: str, problem: Problem) -> None:
    assert problem_of_connect(text) is problem


def shown() -> dict[str, float]:
    family = next(iter(metrics.REGISTRY.collect()))
    return {sample.labels["problem"]: sample.value for sample in family.samples}


def test_a_change_is_logged_once_and_shown_by_the_metric(caplog: pytest.LogCaptureFixture) -> None:
    now = [10.0]
    state = DatabaseState(clock=lambda: now[0])
    state.found_writable()
    assert (state.meaning(), caplog.records) == (None, [])
    with caplog.at_level(logging.INFO):
        state.found(Problem.UNREACHABLE)
        state.found(Problem.UNREACHABLE)
        state.found(Problem.READ_ONLY)
        assert state.meaning() == MEANING[Problem.READ_ONLY]
        assert shown() == {"read_only": 1, "no_slot": 0, "unreachable": 0}
        now[0] += 4.5
        state.found_writable()
    assert shown() == dict.fromkeys(DATABASE_PROBLEMS, 0)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO"]
    assert caplog.messages[-1] == "the database accepts writes again after 4.5 s"


def test_every_problem_has_its_label_and_its_words() -> None:
    assert {problem.value for problem in Problem} == set(DATABASE_PROBLEMS)
    assert set(MEANING) == set(Problem)
