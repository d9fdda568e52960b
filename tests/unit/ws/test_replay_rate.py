"""How many events are replayed for one user."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from hunarmitra_ws.hub.replay_rate import MOST_USERS, ReplayRate


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_events_are_replayed_at_once_and_then_at_the_rate() -> None:
    clock, user, other = Clock(), uuid4(), uuid4()
    rate = ReplayRate(60, 2, clock)
    for _ in range(60):
        assert rate.wait_seconds(user) == 0
        rate.count(user, 1)
    assert rate.wait_seconds(user) == 0
    rate.count(user, 3)
    assert rate.wait_seconds(user) == 3
    assert rate.wait_seconds(other) == 0
    clock.now += 3
    assert rate.wait_seconds(user) == 0
    clock.now += 3600
    rate.count(user, 60)
    assert rate.wait_seconds(user) == 0, "a pause does not add up"


def test_a_replay_of_any_length_delays_only_the_next_one() -> None:
    rate, user = ReplayRate(60, 2, Clock()), uuid4()
    rate.count(user, 6000)
    assert rate.wait_seconds(user) == 5940
    rate.count(user, 0)
    assert rate.wait_seconds(user) == 5940


async def test_only_some_replays_of_a_user_wait_and_those_of_clients_that_left_do_not() -> None:
    clock, user = Clock(), uuid4()
    rate = ReplayRate(60, 2, clock)
    rate.count(user, 100)
    left = asyncio.Event()
    waiting = [asyncio.create_task(rate.wait(user, left.is_set)) for _ in range(2)]
    await asyncio.sleep(0)
    assert not await rate.wait(user, left.is_set)
    assert await rate.wait(uuid4(), left.is_set)
    left.set()
    assert await asyncio.gather(*waiting) == [True, True]


def test_a_crowd_of_users_fills_no_memory() -> None:
    rate = ReplayRate(60, 2, Clock())
    first = uuid4()
    rate.count(first, 1000)
    for _ in range(MOST_USERS):
        rate.count(uuid4(), 1)
    assert rate.wait_seconds(first) == 0
