"""A stored location leaves no dead index entries and no bloat: PostgreSQL updates the row within its page (HOT)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.postgres import PostgresServer
from tests.support.shell import Shell
from tests.support.stack import Stack, base_environment, fresh_postgres

BOOKINGS = 100
ROUNDS = 300
"""Locations of a booking's life. At first its row grows, and may move to another page; after that it stays."""


@pytest.fixture
def shell(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Shell]:
    environment = base_environment(DATABASE_URL=fresh_postgres(postgres_server), SERVICES="http")
    with Shell(Stack("distributed", tmp_path, environment)) as running:
        yield running


def store_locations(bookings: int, rounds: int) -> dict[str, Any]:
    """Store a location of each booking in each round, mostly in batches; return the counts and sizes of the table."""
    from datetime import timedelta

    from django.db import connection

    from hunarmitra.accounts.models import Role, Session, User
    from hunarmitra.bookings.models import Booking
    from hunarmitra.common.clock import utc_now
    from hunarmitra.tracking.locations import PostedLocation, Reading
    from hunarmitra.tracking.storing import store

    begun = utc_now()
    worker = User.objects.create(username="worker", name="Worker", role=Role.WORKER)
    session = Session.objects.create(user=worker, created_at=begun, expires_at=begun + timedelta(days=365))
    times = {"created_at": begun, "updated_at": begun}
    tracked = Booking.objects.bulk_create(
        Booking(owner=worker, worker=worker, status="on_the_way", service="plumbing", lat=28.6, lng=77.2, **times)
        for _ in range(bookings)
    )

    def one(statement: str) -> tuple[Any, ...]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            row: tuple[Any, ...] = cursor.fetchone()
        return row

    def sizes() -> tuple[Any, ...]:
        return one("SELECT pg_relation_size('bookings_booking'), pg_indexes_size('bookings_booking')")

    def posted(booking: Booking, number: int) -> PostedLocation:
        return PostedLocation(
            booking_id=booking.pk,
            user_id=worker.pk,
            session_id=session.pk,
            reading=Reading(lat=28.5 + number % 1000 / 10_000, lng=77.1, accuracy=8.0, speed=7.5),
            received=begun + timedelta(seconds=2 * number),
        )

    stored, measured = 0, []
    for number in range(1, rounds + 1):
        batch = [posted(booking, number) for booking in tracked]
        for part in [[each] for each in batch] if number % 10 == 0 else [batch]:
            stored += len(store(part))
        if number in {rounds // 3, rounds}:
            measured.append(sizes())
    one("SELECT pg_stat_force_next_flush()")
    updates = one("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'bookings_booking'")
    return {"stored": stored, "updates": updates, "sizes": measured}


@pytest.mark.slow
def test_locations_are_hot_updates_and_touch_no_index(shell: Shell) -> None:
    found = shell.call(store_locations, bookings=BOOKINGS, rounds=ROUNDS)
    updated, hot = found["updates"]
    assert found["stored"] == updated == BOOKINGS * ROUNDS
    assert hot >= 0.99 * updated
    (heap, indexes), (heap_after, indexes_after) = found["sizes"]
    assert indexes_after == indexes
    assert heap_after <= 1.1 * heap
