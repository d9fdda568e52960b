"""Readiness: the process is not ready only before the first success, and the probe is never slow."""

from __future__ import annotations

import threading

import pytest

from hunarmitra_http import readiness as module
from hunarmitra_http.readiness import NotMigratedError, Readiness


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a probe wait for the checks as long as a slow machine takes."""
    monkeypatch.setattr(module, "MOST_SECONDS", 60)


class Dependency:
    """A dependency that answers, fails or hangs, as the test requires."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.problem = problem
        self.calls = 0
        self.released = threading.Event()
        self.released.set()

    def __call__(self) -> None:
        self.calls += 1
        self.released.wait()
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


def test_a_dependency_that_hangs_delays_no_probe_and_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    database = Dependency()
    readiness = Readiness({"database": database}, Dependency(), clock=lambda: now[0])
    assert readiness.report()["status"] == "ready"
    now[0] += module.FRESH_SECONDS
    database.released.clear()
    monkeypatch.setattr(module, "MOST_SECONDS", 0.05)
    for _ in range(2):  # while it hangs
        assert readiness.report() == {"status": "ready", "dependencies": {"database": "no answer yet"}}
    assert database.calls == 2
    database.released.set()
