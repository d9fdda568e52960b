"""Reads of many callers share a batch, and those of one caller are never divided."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from hunarmitra_ws.hub.batches import MOST_PER_BATCH, BatchedReads
from hunarmitra_ws.hub.database_threads import DatabaseThreads


@pytest.fixture
def threads() -> Iterator[DatabaseThreads]:
    running = DatabaseThreads("test", 1)
    yield running
    running.stop()


class Reads:
    """Answers each number with its double, and keeps the batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.error: Exception | None = None

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        if self.error is not None:
            raise self.error
        return [2 * number for number in numbers]


async def test_callers_of_one_moment_share_batches_up_to_their_size(threads: DatabaseThreads) -> None:
    read = Reads()
    reader = BatchedReads(threads, 1, read)
    answers = await asyncio.gather(*(reader.ask([number]) for number in range(MOST_PER_BATCH + 5)))
    assert answers == [[2 * number] for number in range(MOST_PER_BATCH + 5)]
    assert [len(batch) for batch in read.batches] == [MOST_PER_BATCH, 5]


async def test_the_requests_of_one_caller_are_one_batch(threads: DatabaseThreads) -> None:
    read = Reads()
    reader = BatchedReads(threads, 1, read)
    numbers = list(range(10 * MOST_PER_BATCH))
    alone, many, after = await asyncio.gather(reader.ask([1]), reader.ask(numbers), reader.ask([2]))
    assert (alone, many, after) == ([2], [2 * number for number in numbers], [4])
    assert read.batches == [[1, *numbers], [2]]


async def test_every_caller_of_a_failed_batch_is_told_and_the_next_is_answered(threads: DatabaseThreads) -> None:
    read = Reads()
    reader = BatchedReads(threads, 1, read)
    read.error = ValueError("failed")
    results = await asyncio.gather(reader.ask([1]), reader.ask([2]), return_exceptions=True)
    assert [str(each) for each in results] == ["failed", "failed"]
    read.error = None
    assert await reader.ask([3]) == [6]
