"""Background tasks start again when they end, and the probes report tasks that keep failing."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from hunarmitra_ws import supervisor as supervisor_module
from hunarmitra_ws.server import admin
from hunarmitra_ws.supervisor import STABLE_AFTER, TOLERATED_FAILURES, Supervisor
from tests.support.eventually import eventually_async

TIMEOUT = 30


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Worker:
    """A background task that fails at once while `error` is set, and returns at once while `returns` is set."""

    def __init__(self) -> None:
        self.runs = 0
        self.error: Exception | None = None
        self.returns = False
        self.started = asyncio.Event()

    async def run(self) -> None:
        self.runs += 1
        self.started.set()
        if self.error is not None:
            raise self.error
        if not self.returns:
            await asyncio.Event().wait()

    async def until_run(self, number: int) -> None:
        async with asyncio.timeout(TIMEOUT):
            while self.runs < number:
                self.started.clear()
                await self.started.wait()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "FIRST_PAUSE", 0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
async def supervisor(clock: Clock) -> Any:
    running = Supervisor(clock)
    yield running
    await running.stop()


async def test_a_task_that_is_killed_starts_again(supervisor: Supervisor, worker: Worker) -> None:
    supervisor.start("work", worker.run)
    for number in range(1, 4):
        await worker.until_run(number)
        supervisor.tasks["work"].cancel()
    await worker.until_run(4)


@pytest.mark.parametrize("error", [RuntimeError("broken"), None])
async def test_a_task_that_keeps_ending_is_failing_until_it_is_stable(
    supervisor: Supervisor, worker: Worker, clock: Clock, error: Exception | None
) -> None:
    worker.error, worker.returns = error, error is None
    supervisor.start("work", worker.run)
    await worker.until_run(TOLERATED_FAILURES)
    assert not supervisor.failing()
    await worker.until_run(TOLERATED_FAILURES + 2)
    clock.now += 7
    assert supervisor.failing() == {"work": 7}
    worker.error, worker.returns = None, False
    await worker.until_run(worker.runs + 1)
    assert supervisor.failing(), "it may end again at once"
    clock.now += STABLE_AFTER
    assert not supervisor.failing()


async def test_a_task_that_is_to_run_once_ends(supervisor: Supervisor, worker: Worker) -> None:
    worker.error = RuntimeError("not yet")
    supervisor.start("work", worker.run, once=True)
    await worker.until_run(2)
    worker.error, worker.returns = None, True
    await eventually_async(lambda: not supervisor.tasks)
    assert not supervisor.failing()


async def test_a_cancelled_task_does_not_start_again_and_its_name_is_free(
    supervisor: Supervisor, worker: Worker
) -> None:
    supervisor.start("work", worker.run)
    await worker.until_run(1)
    first = supervisor.tasks["work"]
    supervisor.cancel("work")
    supervisor.start("work", worker.run)
    await worker.until_run(2)
    assert first.cancelled()
    assert worker.runs == 2
    assert not supervisor.tasks["work"].done()


async def test_a_task_that_waits_for_its_restart_can_be_cancelled(
    supervisor: Supervisor, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "FIRST_PAUSE", 0.001)
    worker.error = RuntimeError("broken")
    supervisor.start("work", worker.run)
    await eventually_async(supervisor.tasks["work"].done)
    supervisor.cancel("work")
    runs = worker.runs
    await asyncio.sleep(0.01)  # the restart would come after 0.001 s
    assert (worker.runs, supervisor.tasks) == (runs, {})


async def test_a_stopped_supervisor_starts_nothing_again(worker: Worker) -> None:
    running = Supervisor()
    running.start("work", worker.run)
    await worker.until_run(1)
    await running.stop()
    assert running.tasks["work"].cancelled()
    assert worker.runs == 1


@pytest.fixture
def server() -> SimpleNamespace:
    failing: dict[str, float] = {}
    return SimpleNamespace(
        started=True,
        open_connections={},
        counted_connections=0,
        drain=SimpleNamespace(requested=False, state="serving"),
        options=SimpleNamespace(max_connections=10),
        failing=failing,
        failing_tasks=lambda: failing,
    )


def test_a_failing_task_makes_the_process_not_ready_and_later_not_live(server: Any) -> None:
    assert (admin.readiness(server)[0], admin.liveness(server)[0]) == (200, 200)
    server.failing["recovery"] = 1.0
    status, body = admin.readiness(server)
    assert (status, body["ready"], body["failing_tasks"]) == (503, False, ["recovery"])
    assert admin.liveness(server)[0] == 200
    server.failing["recovery"] = admin.LIVE_WITHOUT_TASK
    assert admin.liveness(server) == (503, {"live": False, "failing_tasks": ["recovery"]})
