"""Revocations without a database: which rows are read, and which clients they end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from hunarmitra.outbox.revocations import Kind
from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra_ws.hub import revocations as revocations_module
from hunarmitra_ws.hub.database_threads import DatabaseThreads
from hunarmitra_ws.hub.revocations import Revocations
from hunarmitra_ws.hub.subscription_index import SubscriptionIndex
from tests.support.eventually import eventually_async
from tests.unit.ws.fakes import RecordingLanes, make_subscription

MOST_ROWS = 3
"""Of one read."""

NEVER = 3600.0
"""Seconds between two reads that nobody asks for."""


class Scene:
    """Revocations over a table of ended ``sessions``, in the order of their numbers; the first ``pruned`` are gone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sessions: list[UUID] = []
        self.pruned = 0
        self.reads = 0
        self.index = SubscriptionIndex()
        self.threads = DatabaseThreads("test", 1)
        self.revocations = Revocations(self.index, self.threads, interval=NEVER)
        monkeypatch.setattr(revocations_module, "newest_number", lambda: len(self.sessions))
        monkeypatch.setattr(revocations_module, "recorded_after", self._recorded_after)

    def _recorded_after(self, number: int) -> Sequence[Any]:
        self.reads += 1
        first = max(number, self.pruned)
        return [
            SimpleNamespace(number=at, kind=Kind.SESSION, subject=session, booking=None)
            for at, session in enumerate(self.sessions[first : first + MOST_ROWS], first + 1)
        ]

    def join(self) -> tuple[UUID, RecordingLanes]:
        session = uuid4()
        subscription, lanes = make_subscription(session=session)
        self.index.add(subscription)
        return session, lanes


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    made = Scene(monkeypatch)
    yield made
    made.threads.stop()


@contextmanager
def running(revocations: Revocations) -> Iterator[None]:
    task = asyncio.create_task(revocations.run())
    try:
        yield
    finally:
        task.cancel()


async def test_more_rights_that_end_at_once_than_one_read_has_are_all_applied_by_it(scene: Scene) -> None:
    with running(scene.revocations):
        await scene.revocations.ready.wait()
        joined = [scene.join() for _ in range(3 * MOST_ROWS + 1)]
        scene.sessions += [session for session, _ in joined]
        scene.revocations.check()
        await scene.revocations.applied()
        assert {lanes.closed_with for _, lanes in joined} == {CloseCode.UNAUTHENTICATED}
        assert scene.reads == 4


async def test_rows_that_were_pruned_are_not_looked_for_again(scene: Scene) -> None:
    with running(scene.revocations):
        await scene.revocations.ready.wait()
        scene.sessions += [uuid4(), uuid4()]
        scene.pruned = 2
        scene.revocations.check()
        await scene.revocations.applied()
        session, lanes = scene.join()
        scene.sessions.append(session)
        scene.revocations.check()
        await eventually_async(lambda: lanes.closing)
        assert scene.reads == 2
