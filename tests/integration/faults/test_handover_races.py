"""A change that waited for a handover of the same booking sees the worker whom that gave the booking to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.support.eventually import eventually
from tests.support.postgres import PostgresServer
from tests.support.scene import Scene, scene

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("handovers"), postgres_server, ws=0) as running:
        yield running


def behind_a_handover(system: Scene, booking_id: str, worker_id: str, change: Callable[[], Any]) -> Any:
    """What `change` returns when it had to wait for a transaction that gave the booking to this worker."""
    with psycopg.connect(system.stack.environment["DATABASE_URL"]) as handover, ThreadPoolExecutor(1) as pool:
        handover.execute("UPDATE bookings_booking SET worker_id = %s WHERE id = %s", [worker_id, booking_id])
        changed = pool.submit(change)
        eventually(lambda: system.sql(WAITING) == [(1,)], 10, "the change waits for the booking")
        handover.commit()
        return changed.result()


def newest_notification(who: Any) -> tuple[str, str]:
    newest = who.notifications()["results"][0]
    return newest["data"]["event_type"], newest["message"]


@pytest.mark.parametrize("before", ["nobody", "another worker"])
def test_a_status_change_tells_the_worker_of_a_handover_it_waited_for(system: Scene, before: str) -> None:
    actors = system.actors
    booking_id = actors.new_booking("confirmed")
    if before == "nobody":
        system.sql("UPDATE bookings_booking SET worker_id = NULL WHERE id = %s", booking_id)
    new = actors.other_worker
    answer = behind_a_handover(system, booking_id, new.id, lambda: actors.admin.status(booking_id, "on_the_way"))
    assert answer["worker"] == {"id": new.id, "name": new.user.name}
    told = ("booking_on_the_way", f"{new.user.name} is on the way for plumbing.")
    assert newest_notification(new) == told
    assert newest_notification(actors.employer) == told


@pytest.mark.parametrize("before", ["nobody", "another worker"])
def test_a_handover_ends_the_right_that_another_gave_while_it_waited(system: Scene, before: str) -> None:
    actors = system.actors
    booking_id = actors.new_booking("confirmed")
    if before == "nobody":
        system.sql("UPDATE bookings_booking SET worker_id = NULL WHERE id = %s", booking_id)
    third = actors.worker if before == "nobody" else actors.other_worker
    last = actors.other_worker if before == "nobody" else actors.worker
    behind_a_handover(system, booking_id, third.id, lambda: actors.admin.assign(booking_id, last.id))
    ended = "SELECT count(*) FROM realtime_revocation WHERE kind = 'assignment' AND subject = %s AND booking = %s"
    assert system.sql(ended, third.id, booking_id) == [(1,)]
    assert newest_notification(third)[0] == "booking_assigned"
    assert newest_notification(third)[1] == f"{last.user.name} is assigned to plumbing."
