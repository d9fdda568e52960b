"""The growing delay of one process; `tests/integration/rest/test_shared_limits.py` tests the shared one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from hunarmitra.common.growing_delay import FORGOTTEN_AFTER, GrowingDelay, LocalDelays
from tests.unit.common.test_rate_limit import Clock

DELAY = GrowingDelay("x", free=3, first=10, longest=60)


def waits(delays: LocalDelays, clock: Clock, count: int) -> list[float]:
    """Fail so often, each time as soon as it is possible. Return the seconds waited before each attempt."""
    found = []
    for _ in range(count):
        begun = clock.now
        while wait := delays.begin(DELAY, "a"):
            clock.now += wait
        found.append(round(clock.now - begun, 3))
    return found


def test_each_failure_after_the_free_ones_doubles_the_wait() -> None:
    clock = Clock()
    assert waits(LocalDelays(clock=clock), clock, 8) == [0, 0, 0, 10, 20, 40, 60, 60]


def test_an_attempt_that_is_refused_counts_nothing() -> None:
    clock = Clock()
    delays = LocalDelays(clock=clock)
    waits(delays, clock, 3)
    assert [delays.begin(DELAY, "a") for _ in range(5)] == [10] * 5
    assert delays.begin(DELAY, "b") == 0, "another subject"


def test_a_success_forgets_and_time_forgets() -> None:
    clock = Clock()
    delays = LocalDelays(clock=clock)
    waits(delays, clock, 5)
    delays.forget(DELAY, "a")
    assert waits(delays, clock, 4) == [0, 0, 0, 10]
    clock.now += 20 + FORGOTTEN_AFTER + 1
    assert waits(delays, clock, 4) == [0, 0, 0, 10]


def test_an_attempt_that_was_not_made_is_taken_back() -> None:
    clock = Clock()
    delays = LocalDelays(clock=clock)
    for _ in range(10):
        assert delays.begin(DELAY, "a") == 0
        delays.take_back(DELAY, "a")
    delays.take_back(DELAY, "a")
    assert waits(delays, clock, 4) == [0, 0, 0, 10]


def test_a_delay_never_grows_beyond_its_end() -> None:
    assert DELAY.after(10**6) == 60
    assert GrowingDelay("x", free=1, first=60, longest=1).after(5) == 60, "the first delay is the least"


def test_simultaneous_attempts_do_not_slip_through() -> None:
    delays = LocalDelays()
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: delays.begin(DELAY, "a"), range(200)))
    assert found.count(0.0) == DELAY.free


def test_what_was_longest_unused_is_forgotten_when_there_are_too_many() -> None:
    delays = LocalDelays(capacity=2)
    once = GrowingDelay("x", free=1, first=10, longest=60)
    for subject in ("a", "b", "c"):
        assert delays.begin(once, subject) == 0
    assert delays.begin(once, "c") == pytest.approx(10, abs=5)
    assert delays.begin(once, "a") == 0
