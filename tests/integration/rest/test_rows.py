"""Rows of a statement written by hand are what the ORM gives, with either database."""

from __future__ import annotations

from typing import Any

from tests.support.actors import Actors
from tests.support.shell import Shell


def compare_rows_with_the_orm() -> list[Any]:
    """Compare the rows of three statements with the ORM; return the additional columns of each first row."""
    from hunarmitra.accounts.models import User
    from hunarmitra.bookings.models import Booking
    from hunarmitra.database.rows import RowReader

    def described(instance: Any) -> dict[str, list[str]]:
        return {name: [type(value).__name__, str(value)] for name, value in vars(instance).items() if name != "_state"}

    def compared(model: Any, names: list[str]) -> list[Any]:
        reader = RowReader(model, names)
        table = model._meta.db_table
        statement = f"SELECT {reader.columns}, 7, NULL FROM {table} ORDER BY {table}.id"  # noqa: S608 - constants
        (first, after), *others = reader.read(statement, [])
        again, *_ = reader.read(statement, [])
        assert described(first) == described(again[0])
        stored = model.objects.only(*names).order_by("id")
        ours = [described(row) for row, _ in [(first, after), *others]]
        theirs = [described(row) for row in stored]
        assert ours == theirs, (ours, theirs)
        assert not first._state.adding
        assert first._state.db == "default"
        assert reader.read(f"{statement.partition(' ORDER')[0]} WHERE 1 = 0", []) == []
        return list(after)

    users, bookings = ([field.name for field in model._meta.concrete_fields] for model in (User, Booking))
    some = ["id", "worker", "lat", "status"]
    return [compared(User, users), compared(Booking, bookings), compared(Booking, some)]


def test_rows_are_the_orms(actors: Actors, shell: Shell) -> None:
    booking_id = actors.new_booking("on_the_way")
    position = {"lat": 28.6139, "lng": 77.209}
    assert actors.worker.send("POST", f"tracking/{booking_id}/", position).status_code == 200
    assert shell.call(compare_rows_with_the_orm) == [[7, None]] * 3


def compare_the_hubs_queries_with_the_orm() -> list[Any]:
    """Compare states, logs and pages; return how many bookings have a location, and whether all flags are booleans."""
    from datetime import UTC, datetime

    from hunarmitra.bookings.models import Booking, BookingEvent
    from hunarmitra.bookings.wire import status_frame
    from hunarmitra.common.clock import to_microseconds
    from hunarmitra.protocol import channels
    from hunarmitra.protocol.frames import encode
    from hunarmitra_ws.hub import queries

    def add_events_with_fractions_of_a_second(booking: Any) -> None:
        for seq, fraction in enumerate([0, 1, 100, 120_000, 500_000, 999_999], booking.seq + 1):
            created = datetime(2026, 1, 3, 11, 5, 0, fraction, UTC)
            BookingEvent.objects.create(
                booking=booking,
                seq=seq,
                event_type="status_changed",
                status="requested",
                actor="Ravi 'R' Kumar",
                eta_minutes=None if seq % 2 else seq,
                clears_location=seq % 3 == 0,
                created_at=created,
                published_at=created,
            )
            Booking.objects.filter(pk=booking.pk).update(seq=seq, location_at=created)

    bookings = list(Booking.objects.order_by("id"))
    located = [booking for booking in bookings if booking.location_at]
    add_events_with_fractions_of_a_second(bookings[0])

    names = [channels.booking_channel(booking.pk) for booking in bookings]
    unknown = "booking.00000000-0000-4000-8000-000000000000"
    states = queries.channel_states([*names, unknown])
    assert states.keys() == set(names)
    for booking in Booking.objects.all():
        order = to_microseconds(booking.location_at) if booking.location_at else 0
        state = queries.ChannelState(booking.seq, booking.min_location_seq, order)
        assert states[channels.booking_channel(booking.pk)] == state == queries.state_of(booking)

    read = queries.read_logs(queries.LogRange(name, 0, 1000) for name in names)
    for name, booking in zip(names, bookings, strict=True):
        rows = list(booking.events.order_by("seq"))
        events = read[name]
        assert [event.seq for event in events] == [row.seq for row in rows]
        assert [event.frame for event in events] == [encode(status_frame(row)) for row in rows]
        assert [event.clears_location for event in events] == [row.clears_location for row in rows]
        assert [event.committed_at for event in events] == [row.created_at.timestamp() for row in rows]
    # After those that were there, which another test may have pruned.
    before = bookings[0].seq
    newest, page = queries.read_page(names[0], before, 3)
    assert (newest, [event.seq for event in page]) == (states[names[0]], [before + 1, before + 2, before + 3])
    assert queries.read_page(unknown, 0, 3) == (None, [])
    flags = {event.clears_location for log in read.values() for event in log}
    return [len(located), all(flag is True or flag is False for flag in flags)]


def test_what_the_hub_reads_of_bookings_is_the_orms(actors: Actors, shell: Shell) -> None:
    booking_id = actors.new_booking("on_the_way")
    actors.new_booking("requested")
    position = {"lat": 28.6139, "lng": 77.209}
    assert actors.worker.send("POST", f"tracking/{booking_id}/", position).status_code == 200
    located, flags = shell.call(compare_the_hubs_queries_with_the_orm)
    assert located >= 1
    assert flags is True
