"""Database reads for many callers in one batch.

A caller that comes alone is read for at once. Callers that come while reads are under way wait and are read for
together: when a whole fleet reconnects, the database gets dozens of queries, not thousands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from hunarmitra_ws.hub.database_threads import DatabaseThreads

_Request = TypeVar("_Request")
_Answer = TypeVar("_Answer")

MOST_PER_BATCH: Final = 64
"""Requests of different callers in one batch; those of one caller are never divided."""


class BatchedReads(Generic[_Request, _Answer]):
    """Batches the reads of one event loop; at most ``concurrency`` batches are under way at once.

    ``read`` runs in a thread. It returns one answer for each request, in their order.
    """

    def __init__(
        self, threads: DatabaseThreads, concurrency: int, read: Callable[[Sequence[_Request]], Sequence[_Answer]]
    ) -> None:
        self._threads = threads
        self._free = concurrency
        self._read = read
        self._waiting: list[tuple[Sequence[_Request], asyncio.Future[Sequence[_Answer]]]] = []
        self._scheduled = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, requests: Sequence[_Request]) -> Sequence[_Answer]:
        """Return the answers to these requests, all of one batch. Raises what the database raises, or TimeoutError."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Sequence[_Answer]] = loop.create_future()
        self._waiting.append((requests, answered))
        if not self._scheduled:
            # Later in this turn of the loop, so that requests of the same turn share a batch.
            self._scheduled = True
            loop.call_soon(self._dispatch)
        return await answered

    def _dispatch(self) -> None:
        self._scheduled = False
        while self._free and self._waiting:
            batch = self._next_batch()
            self._free -= 1
            task = asyncio.create_task(self._answer(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _next_batch(self) -> list[tuple[Sequence[_Request], asyncio.Future[Sequence[_Answer]]]]:
        size = number = 0
        while number < len(self._waiting) and size < MOST_PER_BATCH:
            size += len(self._waiting[number][0])
            number += 1
        batch, self._waiting = self._waiting[:number], self._waiting[number:]
        return batch

    async def _answer(self, batch: Sequence[tuple[Sequence[_Request], asyncio.Future[Sequence[_Answer]]]]) -> None:
        try:
            answers = await self._threads.run(self._read, [request for requests, _ in batch for request in requests])
        except asyncio.CancelledError:
            _fail(batch, TimeoutError("the read was cancelled"))
            raise
        except Exception as error:  # noqa: BLE001 - each waiting caller raises it
            _fail(batch, error)
        else:
            start = 0
            for requests, answered in batch:
                if not answered.done():
                    answered.set_result(answers[start : start + len(requests)])
                start += len(requests)
        finally:
            self._free += 1
            self._dispatch()


def _fail(batch: Sequence[tuple[Sequence[_Request], asyncio.Future[Sequence[_Answer]]]], error: Exception) -> None:
    for _, answered in batch:
        if not answered.done():
            answered.set_exception(error)
