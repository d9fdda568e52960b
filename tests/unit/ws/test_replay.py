"""A long log is sent in pages, as fast as the client reads, and without a gap before live events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence

import pytest
from django.db import OperationalError
from hypothesis import given
from hypothesis import strategies as st

from hunarmitra_ws.hub import replay
from hunarmitra_ws.hub.channel import Channel
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.queries import ChannelState, Event
from hunarmitra_ws.hub.replay import Replay
from tests.unit.ws.fakes import RecordingLanes, make_subscription

FRAME = "x" * 100


@pytest.fixture(autouse=True, scope="module")
def impatient() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "PAUSE", 0)
        yield


def event(seq: int) -> Event:
    return Event(seq, lambda: f"{seq} {FRAME}", False, 0.0)


class SlowLanes(RecordingLanes):
    """Pushed frames wait until `all_sent` is awaited; `high_water` is the highest number of waiting bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.high_water = 0

    @property
    def waiting_bytes(self) -> int:
        return self.waiting

    def push(self, frame: OutgoingFrame) -> None:
        super().push(frame)
        self.waiting += frame.size
        self.high_water = max(self.high_water, self.waiting)

    async def all_sent(self) -> None:
        await asyncio.sleep(0)
        self.waiting = 0


class Scene:
    """A log of `newest` events in a database; one read returns `page` events."""

    def __init__(self, *, newest: int, page: int = 10, most_waiting: int = 500) -> None:
        self.newest = newest
        self.pruned = 0
        self.page = page
        self.failures = 0
        self.lanes = SlowLanes()
        self.subscription, _ = make_subscription()
        self.subscription.lanes = self.subscription.client.lanes = self.lanes
        self.channel = Channel("booking.x")
        self.channel.add(self.subscription)
        self.channel.start(seq=newest, min_location_seq=0, location_order=0)
        self.reads: list[int] = []
        self.commits: list[int] = []
        self.replay = Replay(
            subscription=self.subscription,
            channel=self.channel,
            last_seq=0,
            location_order=0,
            min_location_seq=0,
            most_waiting=most_waiting,
        )

    def first(self) -> Sequence[Event]:
        return [event(seq) for seq in range(1, min(self.page, self.newest) + 1)]

    def commit(self) -> None:
        self.newest += 1
        self.channel.receive(self.newest, event(self.newest).frame, False)

    async def read_page(self, after: int) -> tuple[ChannelState | None, Sequence[Event]]:
        self.reads.append(after)
        if self.failures:
            self.failures -= 1
            raise OperationalError
        start = max(after, self.pruned)
        events = [event(seq) for seq in range(start + 1, min(after + self.page, self.newest) + 1)]
        state = ChannelState(self.newest)
        for _ in range(self.commits.pop(0) if self.commits else 0):
            self.commit()
        return state, events

    async def run(self) -> bool:
        async with asyncio.timeout(5):
            assert not self.replay.finish_at_once(self.first(), self.newest)
            return await self.replay.finish(self.first(), self.read_page)

    @property
    def seen(self) -> list[int]:
        return [int(text.split()[0]) for text in self.lanes.texts if not text.startswith("{")]


def test_a_short_log_is_sent_at_once_and_what_was_held_back_after_it() -> None:
    scene = Scene(newest=3)
    scene.commit()
    assert scene.replay.finish_at_once([event(seq) for seq in (1, 2, 3)], 3)
    assert scene.seen == [1, 2, 3, 4]
    assert scene.subscription.live


@given(
    newest=st.integers(11, 60),
    page=st.integers(1, 10),
    commits=st.lists(st.integers(0, 3), max_size=10),
    most_waiting=st.integers(1, 2000),
)
def test_whatever_is_committed_meanwhile_every_event_comes_once_and_in_order(
    newest: int, page: int, commits: list[int], most_waiting: int
) -> None:
    scene = Scene(newest=newest, page=page, most_waiting=most_waiting)
    scene.commits = commits
    assert asyncio.run(scene.run())
    scene.commit()
    assert scene.seen == list(range(1, scene.newest + 1))
    assert scene.lanes.high_water <= max(most_waiting, OutgoingFrame(event(scene.newest).frame).size)


async def test_what_comes_while_a_long_log_is_sent_is_not_kept_in_memory() -> None:
    scene = Scene(newest=30)
    assert not scene.replay.finish_at_once(scene.first(), scene.newest)
    for _ in range(1000):
        scene.commit()
    assert not scene.subscription._held
    assert scene.subscription.joined, "it would take no place among its user's subscriptions"
    assert await scene.replay.finish(scene.first(), scene.read_page)
    assert scene.seen == list(range(1, 1031))


async def test_a_failing_database_is_asked_again() -> None:
    scene = Scene(newest=30)
    scene.failures = 3
    assert await scene.run()
    assert scene.seen == list(range(1, 31))
    assert scene.reads[:4] == [10] * 4


@pytest.mark.parametrize("change", ["pruned", "restored from a backup"])
async def test_a_log_that_is_no_longer_there_gets_resync_required_and_then_live(change: str) -> None:
    scene = Scene(newest=30)
    if change == "pruned":
        scene.pruned = 25
    else:
        scene.newest = 5
        scene.channel.restart(5)
    assert not scene.replay.finish_at_once(scene.first(), 30)
    assert await scene.replay.finish([event(seq) for seq in range(1, 11)], scene.read_page)
    assert json.loads(scene.lanes.texts[-1]) == {"type": "resync_required", "seq": scene.newest}
    scene.commit()
    assert scene.seen == [*range(1, 11), scene.newest]


async def test_a_booking_that_is_deleted_meanwhile_leaves_the_connection_to_the_hub() -> None:
    scene = Scene(newest=30)

    async def gone(after: int) -> tuple[ChannelState | None, Sequence[Event]]:
        return None, ()

    assert not await scene.replay.finish(scene.first(), gone)
    assert not scene.subscription.live


async def test_a_connection_that_is_closed_meanwhile_gets_nothing_more() -> None:
    scene = Scene(newest=30)
    scene.lanes.abandon()
    assert not await scene.replay.finish([], scene.read_page)
    assert scene.seen == []
