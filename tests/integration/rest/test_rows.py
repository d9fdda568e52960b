"""Rows of a statement written by hand are what the ORM gives, with either database."""

from __future__ import annotations

from tests.support.actors import Actors
from tests.support.shell import Shell

COMPARE = """
from hunarmitra.accounts.models import User
from hunarmitra.bookings.models import Booking
from hunarmitra.common.rows import RowReader

def described(instance):
    return {name: [type(value).__name__, str(value)] for name, value in vars(instance).items() if name != "_state"}

def compared(model, names):
    reader = RowReader(model, names)
    table = model._meta.db_table
    statement = f"SELECT {reader.columns}, 7, NULL FROM {table} ORDER BY {table}.id"
    (first, after), *others = reader.read(statement, [])
    again, *_ = reader.read(statement, [])
    assert described(first) == described(again[0])
    stored = model.objects.only(*names).order_by("id")
    ours = [described(row) for row, _ in [(first, after), *others]]
    theirs = [described(row) for row in stored]
    assert ours == theirs, (ours, theirs)
    assert not first._state.adding and first._state.db == "default"
    assert reader.read(f"{statement.partition(' ORDER')[0]} WHERE 1 = 0", []) == []
    return list(after)

whole = [[field.name for field in model._meta.concrete_fields] for model in (User, Booking)]
result = [compared(User, whole[0]), compared(Booking, whole[1]), compared(Booking, ["id", "worker", "lat", "status"])]
"""


def test_rows_are_the_orms(actors: Actors, shell: Shell) -> None:
    booking_id = actors.new_booking("on_the_way")
    position = {"lat": 28.6139, "lng": 77.209}
    assert actors.worker.send("POST", f"tracking/{booking_id}/", position).status_code == 200
    assert shell.run(COMPARE) == [[7, None]] * 3
