"""Who acted, who still reads where a customer lives, and text that would deceive its readers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from hunarmitra.accounts.services import user_delete
from hunarmitra.bookings import selectors
from hunarmitra.bookings.models import Booking
from hunarmitra.bookings.services import booking_create
from hunarmitra.protocol.statuses import Status
from tests.services.conftest import RecordingLayer
from tests.services.people import ORDER, People


def test_the_log_keeps_who_acted_and_tells_no_other_user(people: People, layer: RecordingLayer) -> None:
    booking = people.booking(Status.ON_THE_WAY)
    staff, owner = people.staff.pk, people.owner.pk
    assert list(booking.events.order_by("seq").values_list("acted_by", flat=True)) == [owner, staff, staff, staff]
    for event in booking.events.all():
        assert str(event.acted_by) not in str(event.to_message())


def test_the_log_keeps_who_acted_when_the_user_is_gone(people: People) -> None:
    booking = people.booking(Status.CONFIRMED)
    gone = people.staff.pk
    user_delete(user_id=gone)
    assert booking.events.get(seq=2).acted_by == gone


@pytest.mark.parametrize("field", ["service", "address", "notes"])
@pytest.mark.parametrize("character", ["\x00", "\x1b", "\u202e"], ids=ascii)
def test_hidden_characters_of_an_order_are_rejected(people: People, field: str, character: str) -> None:
    texts: dict[str, Any] = {field: f"a{character}b"}
    with pytest.raises(ValidationError, match=f"U\\+{ord(character):04X}") as error:
        booking_create(owner=people.owner, order=replace(ORDER, **texts))
    assert set(error.value.message_dict) == {field}
    assert not Booking.objects.exists()


def test_notes_may_have_several_lines_and_a_service_one(people: People) -> None:
    booking_create(owner=people.owner, order=replace(ORDER, notes="Gate 2\r\nRing twice\n"))
    with pytest.raises(ValidationError, match=r"U\+000A"):
        booking_create(owner=people.owner, order=replace(ORDER, service="Plumbing\nnow"))


DAYS = 7


@pytest.mark.parametrize(
    ("status", "reader", "after", "reads"),
    [
        (Status.ARRIVED, "worker", timedelta(days=400), True),
        (Status.COMPLETED, "worker", timedelta(days=DAYS, seconds=-1), True),
        (Status.COMPLETED, "worker", timedelta(days=DAYS), False),
        (Status.COMPLETED, "owner", timedelta(days=400), True),
        (Status.COMPLETED, "staff", timedelta(days=400), True),
    ],
)
def test_a_worker_reads_the_details_of_a_finished_booking_for_some_days(
    people: People, status: Status, reader: str, after: timedelta, reads: bool
) -> None:
    booking = people.booking(status)
    now = (booking.finished_at or booking.updated_at) + after
    assert selectors.details_visible_to(people.named(reader), booking, now=now) is reads


def test_an_owner_who_also_works_on_the_booking_keeps_reading(people: People) -> None:
    booking = people.booking(Status.COMPLETED)
    booking.owner = people.worker
    assert booking.finished_at
    assert selectors.details_visible_to(people.worker, booking, now=booking.finished_at + timedelta(days=400))
