"""The bookings of the demo: made once, and the one to drive is the newest."""

from __future__ import annotations

import pytest

from hunarmitra.bookings.models import Booking
from hunarmitra.bookings.services import BookingOrder, booking_create
from hunarmitra.demo import data
from hunarmitra.demo.data import demo_data
from hunarmitra.notifications.models import Notification
from tests.services.people import ORDER, People


@pytest.fixture(autouse=True)
def _kept_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep them in memory instead of in the file beside the database."""
    kept: dict[str, str] = {}
    monkeypatch.setattr(data, "read_passwords", lambda: dict(kept))
    monkeypatch.setattr(data, "keep_passwords", kept.update)


def state() -> list[tuple[object, ...]]:
    return [*Booking.objects.order_by("created_at").values_list("pk", "status", "seq", "updated_at")]


def test_several_bookings_of_different_statuses_are_made_once() -> None:
    made = demo_data(several=True)
    assert sorted(Booking.objects.values_list("status", flat=True)) == [
        "cancelled", "completed", "confirmed", "requested", "requested",
    ]  # fmt: skip
    before = state()
    assert demo_data(several=True).booking.pk == demo_data().booking.pk == made.booking.pk
    assert state() == before


def test_the_one_to_drive_is_confirmed_and_first_in_the_list() -> None:
    made = demo_data(several=True)
    assert made.booking.status == "confirmed"
    assert Booking.objects.order_by("-created_at")[0].pk == made.booking.pk


def test_the_bell_counts_only_the_notifications_of_that_booking() -> None:
    made = demo_data(several=True)
    unread = Notification.objects.filter(read_at=None)
    assert {row.data["booking_id"] for row in unread} == {str(made.booking.pk)}
    assert Notification.objects.exclude(read_at=None).exists()


def test_a_customer_with_a_booking_gets_no_others(people: People) -> None:
    made = demo_data()
    booking_create(owner=people.owner, order=ORDER)
    booking_create(owner=made.employer.user, order=BookingOrder(service="By hand"))
    before = state()
    demo_data(several=True)
    assert state() == before
    assert len(before) == 3
