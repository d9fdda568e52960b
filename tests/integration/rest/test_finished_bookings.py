"""What a worker still reads of a booking that ended long ago: that it was, not where the customer lives."""

from __future__ import annotations

from typing import Any

from tests.support.actors import Actor, Actors
from tests.support.shell import Shell

DETAILS = {"address": "12 MG Road", "notes": "Ring twice", "lat": "28.631500", "lng": "77.216700"}
NO_DETAILS = {"address": "", "notes": "", "lat": None, "lng": None}


def finished_days_ago(booking_id: str, days: int) -> None:
    from datetime import timedelta

    from hunarmitra.bookings.models import Booking
    from hunarmitra.common.clock import utc_now

    Booking.objects.filter(pk=booking_id).update(finished_at=utc_now() - timedelta(days=days))


def details_of(booking: dict[str, Any]) -> dict[str, Any]:
    return {key: booking[key] for key in DETAILS}


def shown_to(actor: Actor, booking_id: str) -> list[dict[str, Any]]:
    """Return the details in every answer that has the booking."""
    lists = [actor.send("GET", f"bookings/?status=completed{query}").json()["results"] for query in ("", "&cursor=")]
    one = actor.booking(booking_id)
    return [details_of(one), *(details_of(row) for rows in lists for row in rows if row["id"] == booking_id)]


def test_a_worker_reads_address_place_and_notes_for_a_week_only(actors: Actors, shell: Shell) -> None:
    booking_id = actors.new_booking("completed", **DETAILS)
    shell.call(finished_days_ago, booking_id=booking_id, days=6)
    assert shown_to(actors.worker, booking_id) == [DETAILS] * 3
    shell.call(finished_days_ago, booking_id=booking_id, days=8)
    assert shown_to(actors.worker, booking_id) == [NO_DETAILS] * 3
    repeated = actors.worker.send("PATCH", f"bookings/{booking_id}/status/", {"status": "completed"})
    assert (repeated.status_code, details_of(repeated.json())) == (200, NO_DETAILS)
    for reader in (actors.employer, actors.admin):
        assert shown_to(reader, booking_id) == [DETAILS] * 3
