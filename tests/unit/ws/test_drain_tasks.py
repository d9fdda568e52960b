"""The tasks of a drain are supervised: after a failure the drain continues, and leases still end in time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hunarmitra_ws import supervisor as supervisor_module
from hunarmitra_ws.server.drain import LEASES_TASK, MOVE_TASK, Drain, DrainTimes, State
from hunarmitra_ws.supervisor import Supervisor
from tests.support.eventually import eventually_async


class Client:
    """A connection that closes when it is moved; the first `failures` attempts fail."""

    def __init__(self, open_connections: list[Client], failures: int = 0) -> None:
        self.open_connections = open_connections
        self.failures = failures

    def move_away(self, after_ms: int) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("broken")
        self.open_connections.remove(self)


@pytest.fixture
async def supervisor(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Supervisor]:
    monkeypatch.setattr(supervisor_module, "FIRST_PAUSE", 0)
    running = Supervisor()
    yield running
    await running.stop()


async def test_a_drain_continues_after_a_connection_could_not_be_moved(supervisor: Supervisor) -> None:
    clients: list[Client] = []
    clients += [Client(clients, failures=2), Client(clients), Client(clients)]
    drain = Drain(DrainTimes(settle=0, window=0), lambda: list(clients), supervisor=supervisor)
    await drain.terminate(grace=30)
    assert (clients, drain.state) == ([], State.EMPTY)


async def test_a_drain_that_keeps_failing_is_reported_and_ends_with_its_lease(supervisor: Supervisor) -> None:
    clients: list[Client] = []
    clients.append(Client(clients, failures=10**6))
    drain = Drain(DrainTimes(settle=0, window=0), lambda: list(clients), supervisor=supervisor)
    drain.lease("rollout", 60)
    await eventually_async(lambda: MOVE_TASK in supervisor.failing())
    assert drain.release("rollout")
    assert (drain.state, drain.requested) == (State.SERVING, False)
    assert MOVE_TASK not in supervisor.failing()


async def test_a_lease_ends_in_time_after_the_task_that_watches_it_was_killed(supervisor: Supervisor) -> None:
    drain = Drain(DrainTimes(settle=60, window=60), list, supervisor=supervisor)
    drain.lease("rollout", 0.05)
    supervisor.tasks[LEASES_TASK].cancel()
    await eventually_async(lambda: not drain.requested)
    assert drain.state is State.SERVING
    drain.lease("rollout", 0.05)
    await eventually_async(lambda: not drain.requested)
