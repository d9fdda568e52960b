"""The live feed without a database: what a watcher sees, and what is left when nobody watches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError

from hunarmitra.accounts.tokens import Identity
from hunarmitra_ws.hub import live_feed as live_feed_module
from hunarmitra_ws.hub.channel import Channel
from hunarmitra_ws.hub.client import Client
from hunarmitra_ws.hub.database_threads import DatabaseThreads
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.live_feed import LiveFeed
from hunarmitra_ws.hub.live_queries import LiveRow
from hunarmitra_ws.hub.live_watch import PER_PAGE, Box, LiveWatch
from hunarmitra_ws.hub.queries import ChannelState
from hunarmitra_ws.hub.subscription_index import SubscriptionIndex
from tests.support.eventually import eventually_async
from tests.unit.ws.fakes import RecordingLanes


def event(seq: int, status: str = "on_the_way") -> str:
    return json.dumps({"type": "booking_status", "seq": seq, "status": status})


def location(number: int, lat: float = 28.0) -> str:
    return json.dumps({"type": "location_update", "number": number, "lat": lat, "lng": 77.0})


class SlowLanes(RecordingLanes):
    """What is pushed waits while `full`. Each slot keeps its newest location."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.slots: dict[object, str] = {}

    @property
    def waiting_bytes(self) -> int:
        return 10_000 if self.full else 0

    def set_location_of(self, slot: object, frame: OutgoingFrame) -> None:
        self.slots[slot] = frame.text

    def clear_location_of(self, slot: object) -> None:
        self.slots.pop(slot, None)

    async def all_sent(self) -> None:
        await eventually_async(lambda: not self.full)


class Scene:
    """A feed over a database of `rows`, by channel; `failures` reads fail first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: dict[str, LiveRow] = {}
        self.failures = 0
        self.abandoned: list[str] = []
        self.index = SubscriptionIndex()
        self.threads = DatabaseThreads("test", 1)
        self.announced: list[str] = []
        self.feed = LiveFeed(
            self.index, self.threads, subscribe=self.subscribe, abandon=self.abandon, announce=self.announce
        )
        monkeypatch.setattr(live_feed_module, "SCAN_INTERVAL", 0.01)
        monkeypatch.setattr(live_feed_module, "tracked_bookings", self.tracked)
        monkeypatch.setattr(live_feed_module, "read_live_rows", self.read)

    def add(self, name: str, seq: int = 4, place: str | None = None) -> None:
        found: Any = None if place is None else json.loads(place)
        self.rows[name] = LiveRow(ChannelState(seq), "on_the_way", event(seq), found, place)

    def tracked(self, known: Collection[str]) -> list[str]:
        if self.failures:
            self.failures -= 1
            raise OperationalError
        return [name for name in self.rows if name not in known]

    def read(self, names: Sequence[str]) -> dict[str, LiveRow]:
        return {name: self.rows[name] for name in names}

    async def subscribe(self, channels: Sequence[Channel]) -> bool:
        return True

    async def announce(self, names: Sequence[str]) -> None:
        self.announced += names

    def abandon(self, channel: Channel) -> None:
        self.abandoned.append(channel.name)

    async def watch(self, box: Box | None = None, max_rate: float = 10.0) -> tuple[LiveWatch, SlowLanes]:
        lanes = SlowLanes()
        client = Client(Identity(uuid4(), uuid4(), datetime(2030, 1, 1, tzinfo=UTC)), lanes)
        watch = LiveWatch(client, box=box, max_rate=max_rate, most_waiting=5_000, on_ended=lambda: None)
        self.feed.add(watch)
        await self.feed.send_pages(watch)
        return watch, lanes


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    made = Scene(monkeypatch)
    running = asyncio.create_task(made.feed.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    made.threads.stop()


def seen(lanes: SlowLanes) -> list[Any]:
    return [json.loads(text) for text in lanes.texts]


async def test_events_come_in_order_even_if_their_messages_do_not(scene: Scene) -> None:
    scene.add("booking.a")
    _, lanes = await scene.watch()
    channel = scene.index.channels["booking.a"]
    assert not channel.receive(6, event(6), False), "seq 5 is missing, so the hub reads it"
    channel.receive(5, event(5), False)
    channel.receive(5, event(5), False)
    assert [frame["seq"] for frame in seen(lanes)[1:]] == [5, 6]


async def test_pages_go_no_faster_than_the_client_reads_and_miss_nothing_that_happens_meanwhile(scene: Scene) -> None:
    names = [f"booking.{number}" for number in range(2 * PER_PAGE + 1)]
    for name in names:
        scene.add(name)
    first = await scene.watch()
    lanes = first[1]
    assert [len(frame["bookings"]) for frame in seen(lanes)] == [PER_PAGE, PER_PAGE, 1]
    slow = SlowLanes()
    slow.full = True
    client = Client(first[0].client.identity, slow)
    watch = LiveWatch(client, box=None, max_rate=10, most_waiting=5_000, on_ended=lambda: None)
    scene.feed.add(watch)
    sending = asyncio.create_task(scene.feed.send_pages(watch))
    await eventually_async(lambda: watch._started)
    scene.index.channels[names[0]].receive(5, event(5), False)
    assert slow.texts == []
    slow.full = False
    await sending
    shown = {each["booking_id"]: each["seq"] for frame in seen(slow) for each in frame["bookings"]}
    assert (len(shown), shown["0"]) == (len(names), 5)


async def test_a_slow_client_loses_older_locations_and_no_event(scene: Scene) -> None:
    scene.add("booking.a")
    _, lanes = await scene.watch(max_rate=10)
    channel = scene.index.channels["booking.a"]
    for number in range(50):
        channel.receive_location(4, number + 1, location(number))
        channel.receive(5 + number, event(5 + number), False)
    assert [frame["seq"] for frame in seen(lanes)[1:]] == list(range(5, 55))
    await eventually_async(lambda: [json.loads(text)["number"] for text in lanes.slots.values()] == [49])


async def test_what_may_no_longer_be_seen_is_forgotten_wherever_it_waits(scene: Scene) -> None:
    scene.add("booking.a")
    watch, lanes = await scene.watch(max_rate=0.01)
    channel = scene.index.channels["booking.a"]
    channel.receive_location(4, 1, location(1))
    channel.receive_location(4, 2, location(2))
    assert len(lanes.slots) == 1
    channel.receive(5, event(5, "completed"), True)
    watch._flush()
    assert lanes.slots == {}
    assert seen(lanes)[-1]["status"] == "completed"
    assert "booking.a" not in scene.index.channels


async def test_a_box_is_entered_with_the_state_and_left_with_a_frame(scene: Scene) -> None:
    scene.add("booking.a", place=location(0, lat=10.0))
    _, lanes = await scene.watch(Box(70, 20, 80, 30))
    assert seen(lanes) == [{"type": "live_page", "bookings": [], "last": True}]
    channel = scene.index.channels["booking.a"]
    channel.receive(5, event(5), False)
    assert len(lanes.texts) == 1, "it is not in the box"
    channel.receive_location(5, 1, location(1))
    assert seen(lanes)[1]["seq"] == 5
    channel.receive_location(5, 2, location(2, lat=40.0))
    assert seen(lanes)[2] == {"type": "live_left", "booking_id": "a"}
    assert lanes.slots == {}
    channel.receive(6, event(6), False)
    assert len(lanes.texts) == 3


def test_a_box_may_cross_the_180th_meridian() -> None:
    box = Box(170, -10, -170, 10)
    assert [box.contains({"lat": 0.0, "lng": lng}) for lng in (175.0, -175.0, 0.0)] == [True, True, False]
    assert not box.contains(None)


async def test_a_booking_that_becomes_tracked_is_shown_with_its_location(scene: Scene) -> None:
    _, lanes = await scene.watch()
    scene.add("booking.new", place=location(7))
    await eventually_async(lambda: len(lanes.texts) == 2 and len(lanes.slots) == 1)
    assert seen(lanes)[1]["seq"] == 4


async def test_a_failing_database_is_asked_again(scene: Scene) -> None:
    scene.add("booking.a")
    scene.failures = 3
    _, lanes = await scene.watch()
    assert len(seen(lanes)[0]["bookings"]) == 1


async def test_nothing_is_kept_when_nobody_watches(scene: Scene) -> None:
    scene.add("booking.a")
    watches = [(await scene.watch())[0] for _ in range(2)]
    scene.feed.remove(watches[0])
    assert "booking.a" in scene.index.channels
    scene.feed.remove(watches[1])
    await eventually_async(lambda: scene.index.channels == {})
    assert scene.abandoned == ["booking.a"]


async def test_a_restored_backup_ends_the_watch_so_that_the_client_asks_for_pages_again(scene: Scene) -> None:
    scene.add("booking.a")
    watch, lanes = await scene.watch()
    scene.index.channels["booking.a"].restart(2)
    assert watch.ended
    assert (seen(lanes)[-1]["type"], seen(lanes)[-1]["code"]) == ("unsubscribed", 4008)


async def test_a_booking_with_a_location_is_announced_as_watched_once(scene: Scene) -> None:
    scene.add("booking.a", place=location(1))
    scene.add("booking.b")
    watch, _ = await scene.watch()
    await eventually_async(lambda: scene.announced == ["booking.a"])
    other, _ = await scene.watch()
    scene.add("booking.c", place=location(1))
    await eventually_async(lambda: scene.announced == ["booking.a", "booking.c"])
    for each in (watch, other):
        scene.feed.remove(each)


async def test_a_location_that_arrives_before_its_booking_was_read_follows_the_state(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def subscribe(channels: Sequence[Channel]) -> bool:
        for channel in channels:
            channel.receive_location(4, 2, location(2))
        return True

    monkeypatch.setattr(scene.feed, "_subscribe", subscribe)
    watch, lanes = await scene.watch()
    before = len(lanes.texts)
    scene.add("booking.a", place=location(1))
    await eventually_async(lambda: list(lanes.slots.values()) == [location(2)])
    assert lanes.texts[before:] == [event(4)]
    scene.feed.remove(watch)
