"""Stores locations of all bookings in turn, in batches as a ws process does, and reports what that did to the table.

Argument: how many locations. Prints ``{"locations", "stored", "empty", "grown", "last"}``: the table before the first
location, when each row has its size, and after the last one.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime, timedelta
from typing import Any

import django

BATCH = 50
"""About as many as a ws process gathers at 2,000 locations a second."""

GROWN = 45
"""Locations of each booking after which its row has its size: then eight fixes are kept."""

INTERVAL = timedelta(seconds=2)
TABLE = "bookings_booking"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hunarmitra.settings")
    django.setup()

    from hunarmitra.accounts.models import Session
    from hunarmitra.bookings.models import Booking
    from hunarmitra.common.clock import utc_now
    from hunarmitra.tracking.locations import PostedLocation, Reading
    from hunarmitra.tracking.storing import store

    wanted = int(sys.argv[1])
    begun: datetime = utc_now()
    sessions = dict(Session.objects.values_list("user_id", "id"))
    bookings = sorted(
        (booking, worker, sessions[worker]) for booking, worker in Booking.objects.values_list("id", "worker_id")
    )

    def posted(number: int) -> PostedLocation:
        turn, place = divmod(number, len(bookings))
        booking_id, user_id, session_id = bookings[place]
        reading = Reading(
            lat=28.5 + turn % 1000 / 10_000,
            lng=77.1 + place % 997 / 10_000,
            accuracy=4.0 + turn % 9,
            heading=float(turn * 7 % 360),
            speed=turn % 15 / 2,
        )
        return PostedLocation(
            booking_id=booking_id,
            user_id=user_id,
            session_id=session_id,
            reading=reading,
            received=begun + turn * INTERVAL,
        )

    stored, empty, grown = 0, _sample(), None
    for first in range(0, wanted, BATCH):
        if grown is None and first >= GROWN * len(bookings):
            grown = _sample()
        stored += len(store([posted(number) for number in range(first, min(first + BATCH, wanted))]))
    json.dump({"locations": wanted, "stored": stored, "empty": empty, "grown": grown, "last": _sample()}, sys.stdout)


def _sample() -> dict[str, Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n_tup_upd, n_tup_hot_upd, n_dead_tup, autovacuum_count, pg_relation_size(relid),"
            " pg_indexes_size(relid) FROM pg_stat_user_tables WHERE relname = %s",
            [TABLE],
        )
        names = ("updates", "hot", "dead", "autovacuums", "heap", "indexes")
        return dict(zip(names, cursor.fetchone(), strict=True))


if __name__ == "__main__":
    main()
