"""Sockets that come and go while events are committed all the time: no gap, no repetition."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.support.actors import Actors
from tests.support.live import PAGE, Newcomer
from tests.support.sockets import NUMBERED, Socket
from tests.support.stack import Stack

pytestmark = pytest.mark.usefixtures("over_rarely")

EVENTS = PAGE * 3 // 2


async def follow(url: str, token: str, first: int, last: int, luck: random.Random) -> list[int]:
    """Every `seq` seen from after `first` to `last`, across many connections that are dropped at random."""
    seen: list[int] = []
    while not seen or seen[-1] < last:
        since = seen[-1] if seen else first
        socket = await Socket.connect(url, token=token, since=since)
        await socket.joined()
        for _ in range(luck.randint(0, 8)):
            if seen and seen[-1] >= last:
                break
            frame = await socket.next_frame()
            if frame["type"] in NUMBERED:
                seen.append(frame["seq"])
        if luck.random() < 0.5:
            await socket.drop()
        else:
            await socket.close()
    return seen


@pytest.mark.parametrize("endpoint", ["booking", "notifications"])
async def test_resuming_connections_miss_and_repeat_nothing(
    live: Stack, people: Actors, newcomer: Newcomer, endpoint: str
) -> None:
    person = newcomer()
    booking = str(person.create_booking()["id"])
    people.admin.assign(booking, people.worker.id)
    first = 3 if endpoint == "booking" else 2
    urls = [live.booking_url(booking, pod) if endpoint == "booking" else live.notifications_url(pod) for pod in (0, 1)]

    async def change() -> None:
        workers = (people.other_worker, people.worker)
        for number in range(EVENTS):
            await asyncio.to_thread(people.admin.assign, booking, workers[number % 2].id)

    *seen, _ = await asyncio.gather(
        *(follow(urls[number % 2], person.token, first, first + EVENTS, random.Random(number)) for number in range(4)),
        change(),
    )
    for seqs in seen:
        assert seqs == list(range(first + 1, first + EVENTS + 1))
