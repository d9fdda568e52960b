"""The rate limiter of one process; `tests/integration/rest/test_shared_limits.py` tests the shared one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hunarmitra.common.rate_limit import Limit, LocalLimiter


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(count=some.integers(1, 200), seconds=some.sampled_from([1.0, 7.0, 60.0, 3600.0]))
def test_exactly_count_pass_at_once_and_one_more_after_each_interval(count: int, seconds: float) -> None:
    clock, limit = Clock(), Limit("x", count, seconds)
    limiter = LocalLimiter(clock=clock)
    assert [limiter.take(limit, "a") for _ in range(count)] == [0.0] * count
    wait = limiter.take(limit, "a")
    assert wait == pytest.approx(limit.interval, abs=1e-5)
    clock.now += wait
    assert limiter.take(limit, "a") == 0
    assert limiter.take(limit, "a") > 0, "a refused request uses nothing up, an accepted one does"
    clock.now += seconds
    assert [limiter.take(limit, "a") for _ in range(count)] == [0.0] * count


def test_subjects_and_limits_are_apart() -> None:
    limiter, one, other = LocalLimiter(), Limit("one", 1, 60), Limit("other", 1, 60)
    assert limiter.take(one, "a") == limiter.take(one, "b") == limiter.take(other, "a") == 0
    assert limiter.take(one, "a") > 0
    assert limiter.take(one, "\ud800" * 1000) == 0, "whatever people type is a subject"


def test_what_was_longest_unused_is_forgotten_when_there_are_too_many() -> None:
    limiter, limit = LocalLimiter(capacity=2), Limit("x", 1, 60)
    for subject in ("a", "b", "c"):
        assert limiter.take(limit, subject) == 0
    assert limiter.take(limit, "c") > 0
    assert limiter.take(limit, "a") == 0


def test_simultaneous_requests_do_not_slip_through() -> None:
    limiter, limit = LocalLimiter(), Limit("x", 50, 3600)
    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda _: limiter.take(limit, "a"), range(400)))
    assert waits.count(0.0) == 50
