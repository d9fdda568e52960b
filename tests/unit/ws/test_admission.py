"""Admission of new connections, and the delay for rejected ones."""

from __future__ import annotations

import asyncio
import random

from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra.protocol.frames import Reconnect
from hunarmitra_ws.server.admission import Admission
from hunarmitra_ws.server.drain import Drain, DrainTimes


class Crowd:
    """The number of connections and the time, both set by the test."""

    def __init__(self) -> None:
        self.count = 0
        self.now = 100.0

    def admission(self, drain: Drain) -> Admission:
        return Admission(
            drain,
            lambda: self.count,
            lambda: self.now,
            cap=10,
            per_second=2,
            burst=3,
            concurrent_replays=2,
        )


def _drain() -> Drain:
    return Drain(DrainTimes(settle=0, window=0), list, rng=random.Random(1))


def test_the_cap_turns_the_next_one_away() -> None:
    crowd = Crowd()
    admission = crowd.admission(_drain())
    crowd.count = 10
    assert admission.rejection() is None
    crowd.count = 11
    rejection = admission.rejection()
    assert rejection is not None
    assert rejection.close is CloseCode.FULL


def test_a_crowd_is_let_in_at_the_rate_and_each_other_gets_a_later_time() -> None:
    crowd = Crowd()
    admission = crowd.admission(_drain())
    answers = [admission.rejection() for _ in range(9)]
    assert answers[:3] == [None, None, None]
    after = [answer.frame.after_ms for answer in answers[3:] if answer and isinstance(answer.frame, Reconnect)]
    assert len(after) == 6
    # Two a second: the sixth reconnects after three seconds, with a jitter of one second.
    assert after[0] < 1600
    assert 3000 <= after[5] <= 4100
    crowd.now += 1
    assert admission.rejection() is None


def test_nobody_is_told_to_wait_longer_than_half_a_minute() -> None:
    """Many connects within a few seconds must not block other clients for minutes."""
    admission = Crowd().admission(_drain())
    answers = [admission.rejection() for _ in range(2000)]
    after = [answer.frame.after_ms for answer in answers if answer and isinstance(answer.frame, Reconnect)]
    assert max(after) <= 30_000
    assert min(after[100:]) >= 15_000
    assert len(set(after[100:])) > 500, "they do not come back together"


def test_clients_without_a_valid_ticket_slow_down_nobody() -> None:
    admission = Crowd().admission(_drain())
    for _ in range(100):
        assert admission.rejection() is None
        admission.withdraw()
    assert [admission.rejection() for _ in range(3)] == [None, None, None]


async def test_replays_are_bounded() -> None:
    admission = Crowd().admission(_drain())
    entered: list[int] = []
    leave = asyncio.Event()

    async def replay(number: int) -> None:
        async with admission.read_slot():
            entered.append(number)
            await leave.wait()

    tasks = [asyncio.create_task(replay(number)) for number in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(entered) == 2
    leave.set()
    await asyncio.gather(*tasks)
    assert len(entered) == 5
