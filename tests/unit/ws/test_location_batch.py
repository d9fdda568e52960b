"""Locations that wait for their batch: for how long, which are stored together, and which first."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from hunarmitra.common.clock import utc_now
from hunarmitra.protocol.frames import Error, Frame
from hunarmitra.tracking.locations import AcceptedLocation, PostedLocation, Reading
from hunarmitra_ws.hub import location_batch
from hunarmitra_ws.hub.location_batch import BatchLimits, LocationBatch
from tests.support.eventually import eventually_async

MakeBatch = Callable[..., LocationBatch]


@dataclass
class Sender:
    """Stands in for a subscription."""

    booking_id: UUID
    frames: list[Frame] = field(default_factory=list)
    known_location_order: int = 0

    @property
    def channel_name(self) -> str:
        return f"booking.{self.booking_id}"

    @property
    def address(self) -> dict[str, str]:
        return {}

    def send(self, frame: Frame) -> None:
        self.frames.append(frame)

    @property
    def codes(self) -> list[str]:
        return [frame.code if isinstance(frame, Error) else "accepted" for frame in self.frames]


class Database:
    """Stands in for the statement, which waits until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.batches: list[list[UUID]] = []

    def accept(self, batch: Sequence[PostedLocation], *_: Any) -> dict[UUID, AcceptedLocation]:
        self.batches.append([each.booking_id for each in batch])
        assert self.released.wait(240)
        return {
            each.booking_id: AcceptedLocation(
                reading=each.reading, moment=each.moment, eta_minutes=None, next_in_ms=2000
            )
            for each in batch
        }


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    fake = Database()
    monkeypatch.setattr(location_batch, "locations_accept", fake.accept)
    return fake


@pytest.fixture
async def batch_of(database: Database) -> AsyncIterator[MakeBatch]:
    """Makes batches; releases the statement and stops them at the end."""
    made: list[LocationBatch] = []

    def make(patience: float = 600, gather: float = 0) -> LocationBatch:
        made.append(LocationBatch({}, BatchLimits(gather=gather, least_interval=2, patience=patience)))
        return made[-1]

    yield make
    database.released.set()
    for batch in made:
        await batch.stop()


def moved_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that moves the event loop's clock on by so many seconds."""
    loop, passed = asyncio.get_running_loop(), 0.0
    real = loop.time

    def move(seconds: float) -> None:
        nonlocal passed
        passed += seconds
        loop.call_soon(lambda: None)  # the event loop looks at its clock again

    monkeypatch.setattr(loop, "time", lambda: real() + passed)
    return move


def add(batch: LocationBatch, number: int, latitude: float = 28) -> Sender:
    sender = Sender(UUID(int=number))
    posted = PostedLocation(
        booking_id=sender.booking_id,
        user_id=UUID(int=1),
        session_id=UUID(int=1),
        reading=Reading(lat=latitude, lng=77),
        received=utc_now(),
    )
    batch.add(sender, posted, None)  # type: ignore[arg-type]
    return sender


def _was_told(sender: Sender, code: str) -> bool:
    return sender.codes == [code]


async def test_every_sender_who_waits_too_long_is_told_once_and_the_next_location_is_stored(
    database: Database, batch_of: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    pass_seconds = moved_clock(monkeypatch)
    batch = batch_of()
    stored = add(batch, 1)
    await eventually_async(lambda: database.batches == [[UUID(int=1)]], message="the first is in the statement")
    waiting = [add(batch, number) for number in (2, 3)]
    pass_seconds(601)
    for sender in (stored, *waiting):
        await eventually_async(partial(_was_told, sender, "unavailable"), message="the sender is told")
        error = sender.frames[0]
        assert isinstance(error, Error)
        assert error.retry_in_ms == 2000
    database.released.set()
    again = add(batch, 1)
    await eventually_async(lambda: again.codes == ["accepted"], message="the next one is stored")
    assert stored.codes == ["unavailable"]
    # What was dropped is not stored.
    assert database.batches == [[UUID(int=1)], [UUID(int=1)]]


async def test_the_oldest_locations_are_stored_first_each_batch_in_the_order_of_the_ids(
    database: Database, batch_of: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(location_batch, "MOST_IN_BATCH", 2)
    batch = batch_of()
    add(batch, 9)
    await eventually_async(lambda: len(database.batches) == 1, message="the first is in the statement")
    senders = [add(batch, number) for number in (7, 5, 3, 1)]
    database.released.set()
    await eventually_async(lambda: all(sender.codes == ["accepted"] for sender in senders), message="all are stored")
    assert [[each.int for each in ids] for ids in database.batches] == [[9], [5, 7], [1, 3]]


async def test_a_location_that_arrives_during_a_batch_waits_for_others(
    database: Database, batch_of: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    pass_seconds = moved_clock(monkeypatch)
    batch = batch_of(gather=60)
    first = add(batch, 1)
    pass_seconds(60)
    await eventually_async(lambda: len(database.batches) == 1, message="the first is in the statement")
    add(batch, 2)
    database.released.set()
    await eventually_async(lambda: first.codes == ["accepted"], message="the first is stored")
    pass_seconds(30)
    last = add(batch, 3)
    pass_seconds(30)
    await eventually_async(lambda: last.codes == ["accepted"], message="the last is stored")
    assert [[each.int for each in ids] for ids in database.batches] == [[1], [2, 3]]


async def test_a_newer_location_takes_the_place_of_the_one_that_waits(
    database: Database, batch_of: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(location_batch, "MOST_IN_BATCH", 1)
    batch = batch_of()
    add(batch, 9)
    await eventually_async(lambda: len(database.batches) == 1, message="the first is in the statement")
    replaced = add(batch, 3)
    other, newer = add(batch, 2), add(batch, 3, 28.5)
    assert replaced.codes == ["too_soon"]
    database.released.set()
    await eventually_async(lambda: other.codes == newer.codes == ["accepted"], message="both are stored")
    assert [[each.int for each in ids] for ids in database.batches] == [[9], [3], [2]]


async def test_a_location_that_could_not_be_answered_in_time_is_dropped_before_the_statement(
    database: Database, batch_of: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    pass_seconds = moved_clock(monkeypatch)
    batch = batch_of()
    first = add(batch, 9)
    await eventually_async(lambda: len(database.batches) == 1, message="the first is in the statement")
    old = add(batch, 1)
    pass_seconds(301)
    fresh = add(batch, 2)
    database.released.set()
    await eventually_async(lambda: first.codes == fresh.codes == ["accepted"], message="the others are stored")
    assert old.codes == ["unavailable"]
    assert [[each.int for each in ids] for ids in database.batches] == [[9], [2]]
