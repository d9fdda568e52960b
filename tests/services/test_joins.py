"""The reads of joining subscriptions: how many queries they take, and what they find."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from hunarmitra.accounts.models import Session
from hunarmitra.accounts.tokens import Identity
from hunarmitra.bookings.models import Booking, BookingEvent
from hunarmitra.common.clock import utc_now
from hunarmitra_ws.hub.join_reader import JoinRequest, Snapshot, read_joins
from tests.services.people import People

MOST_QUERIES = 8


def test_five_hundred_bookings_are_joined_with_a_few_queries(people: People) -> None:
    now = utc_now()
    session = Session.objects.create(user=people.staff, created_at=now, expires_at=now + timedelta(hours=1))
    bookings = [
        Booking(owner=people.owner, service="Plumbing", address="x", seq=3, created_at=now, updated_at=now)
        for _ in range(500)
    ]
    Booking.objects.bulk_create(bookings)
    BookingEvent.objects.bulk_create(
        BookingEvent(
            booking=booking, seq=seq, event_type="booking_assigned", status="requested", actor="x", created_at=now
        )
        for booking in bookings
        for seq in (1, 2, 3)
    )
    identity = Identity(people.staff.pk, session.pk, session.expires_at)
    requests = [JoinRequest(identity, False, booking.pk, 1, 100) for booking in bookings]
    with CaptureQueriesContext(connection) as queries:
        answers = read_joins(requests)
    assert len(queries) <= MOST_QUERIES
    for answer in answers:
        assert isinstance(answer, Snapshot)
        assert [event.seq for event in answer.events or ()] == [2, 3]
