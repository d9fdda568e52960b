"""Readiness: the process is not ready only before the first success, and the probe is never slow."""

from __future__ import annotations

import logging
import threading

import pytest

from hunarmitra_http import readiness as module
from hunarmitra_http.readiness import NotMigratedError, Readiness
from tests.support.clock import steady


class Dependency:
    """A dependency that answers, fails or hangs, as the test requires."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.problem = problem
        self.calls = 0
        self.released = threading.Event()
        self.released.set()

    def __call__(self) -> None:
        self.calls += 1
        self.released.wait(60)
        if self.problem is not None:
            raise self.problem


def test_not_ready_until_the_first_start_up_check_succeeds_and_ready_ever_after() -> None:
    now = [0.0]
    database, redis, at_start = Dependency(OSError()), Dependency(), Dependency(NotMigratedError("3 are not applied"))
    readiness = Readiness({"database": database, "redis": redis}, at_start, clock=lambda: now[0])
    assert readiness.report() == {"status": "starting", "dependencies": {"database": "OSError", "redis": "ok"}}
    assert at_start.calls == 0

    database.problem = None
    assert readiness.report()["dependencies"]["database"] == "3 are not applied"
    at_start.problem = None
    redis.problem = OSError()
    assert readiness.report() == {"status": "ready", "dependencies": {"database": "ok", "redis": "OSError"}}

    database.problem = OSError()
    assert readiness.report()["dependencies"]["database"] == "ok", "a report is good for a second"
    now[0] += module.FRESH_SECONDS
    assert readiness.report() == {"status": "ready", "dependencies": {"database": "OSError", "redis": "OSError"}}
    assert at_start.calls == 2


def test_a_dependency_that_hangs_delays_no_probe_and_is_asked_once() -> None:
    now = [0.0]
    database = Dependency()
    readiness = Readiness({"database": database}, Dependency(), clock=lambda: now[0])
    assert readiness.report()["status"] == "ready"
    now[0] += module.FRESH_SECONDS
    database.released.clear()
    begun = steady()
    for _ in range(2):
        assert readiness.report() == {"status": "ready", "dependencies": {"database": "no answer yet"}}
    assert steady() - begun < 2 * module.MOST_SECONDS + 1
    assert database.calls == 2
    database.released.set()


def test_each_reason_to_wait_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger=module.__name__)
    database, at_start = Dependency(OSError()), Dependency(NotMigratedError("3 are not applied"))
    readiness = Readiness({"database": database}, at_start, clock=lambda: 0.0)
    readiness.report()
    readiness.report()
    database.problem = None
    readiness.report()
    readiness.report()
    at_start.problem = None
    readiness.report()
    assert caplog.messages == [
        "not ready yet: database: OSError", "not ready yet: database: 3 are not applied", "ready"
    ]  # fmt: skip


def test_a_start_that_waits_for_nothing_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger=module.__name__)
    readiness = Readiness({"database": Dependency()}, Dependency(), clock=lambda: 0.0)
    assert readiness.report()["status"] == "ready"
    assert not caplog.messages
