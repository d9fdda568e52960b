"""Reading a list by cursor while rows are created and deleted: what was there at the start comes exactly once."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hunarmitra.accounts.models import User
from hunarmitra.bookings.models import Booking
from hunarmitra.bookings.selectors import bookings_visible_by_role, bookings_visible_to
from hunarmitra_http.cursors import CursorOrder, InvalidCursorError, Page
from hunarmitra_http.views.bookings import BookingsView
from tests.services.people import People

ORDER: CursorOrder = BookingsView.cursor_order
Row = tuple[int, str, uuid.UUID]
START = datetime(2026, 1, 3, 11, 5, tzinfo=UTC)

# Few moments, so that many bookings have the same one. The user owns a booking, works on it, or both.
PART = st.sampled_from(["owner", "worker", "both"])
ROWS = st.lists(st.tuples(st.integers(0, 3), PART, st.uuids()), max_size=12, unique_by=lambda row: row[2])
STEPS = st.lists(
    st.tuples(st.integers(1, 4), ROWS, st.lists(st.integers(0, 30), max_size=3)), min_size=1, max_size=12
)  # the size of a page; then created and deleted


def create(people: People, moment: int, part: str, key: uuid.UUID) -> None:
    at = START + timedelta(microseconds=moment)
    user, other = people.worker, people.owner
    Booking.objects.create(
        pk=key,
        owner=user if part in ("owner", "both") else other,
        worker=user if part in ("worker", "both") else None,
        service="Plumbing",
        created_at=at,
        updated_at=at,
    )


def page(user: User, cursor: str, size: int) -> Page:
    return ORDER.page(bookings_visible_by_role(user), cursor, size)


def ids(found: Page) -> list[uuid.UUID]:
    return [row.pk for row in found.rows]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=ROWS, steps=STEPS)
def test_rows_of_the_start_come_exactly_once_and_in_order(
    people: People, first: list[Row], steps: list[tuple[int, list[Row], list[int]]]
) -> None:
    Booking.objects.all().delete()
    for row in first:
        create(people, *row)
    user = people.worker
    before = set(bookings_visible_to(user).values_list("pk", flat=True))
    deleted: set[uuid.UUID] = set()
    read: list[Booking] = []
    cursor: str | None = ""
    pending = list(steps)
    while cursor is not None:
        size, created, removed = pending.pop(0) if pending else (4, [], [])
        found = page(user, cursor, size)
        assert len(found.rows) <= size
        read += found.rows
        cursor = found.next
        present = list(Booking.objects.order_by("pk").values_list("pk", flat=True))
        for row in created:
            if row[2] not in present and row[2] not in deleted:
                create(people, *row)
        for number in removed:
            if present:
                victim = present[number % len(present)]
                Booking.objects.filter(pk=victim).delete()
                deleted.add(victim)
    found_ids = [row.pk for row in read]
    assert len(set(found_ids)) == len(found_ids)
    assert before - deleted <= set(found_ids)
    assert read == sorted(read, key=lambda row: (-row.created_at.timestamp(), row.pk))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, size=st.integers(1, 5))
def test_previous_leads_back_over_the_same_pages(people: People, rows: list[Row], size: int) -> None:
    Booking.objects.all().delete()
    for row in rows:
        create(people, *row)
    user = people.worker
    pages = [page(user, "", size)]
    while pages[-1].next is not None:
        pages.append(page(user, pages[-1].next, size))
    assert [key for found in pages for key in ids(found)] == [row.pk for row in bookings_visible_to(user)]
    assert pages[0].previous is None
    for earlier, later in zip(reversed(pages[:-1]), reversed(pages[1:]), strict=True):
        assert later.previous is not None
        back = page(user, later.previous, size)
        assert ids(back) == ids(earlier)
        assert back.next is not None
        assert ids(page(user, back.next, size)) == ids(later)
        assert (back.previous is None) == (earlier is pages[0])


def test_pages_that_became_empty_still_lead_on(people: People) -> None:
    for number in range(4):
        create(people, number, "owner", uuid.uuid4())
    first = page(people.worker, "", 2)
    second = page(people.worker, first.next or "", 2)
    Booking.objects.filter(pk__in=ids(first)).delete()
    empty = page(people.worker, second.previous or "", 2)
    assert (ids(empty), empty.previous, empty.next) == ([], None, "")
    Booking.objects.all().delete()
    assert page(people.worker, first.next or "", 2) == Page([], None, None)


def test_a_cursor_of_another_list_or_a_changed_one_is_an_error(people: People) -> None:
    for number in range(3):
        create(people, number, "owner", uuid.uuid4())
    cursor = page(people.worker, "", 1).next or ""
    other = CursorOrder("other", *ORDER._keys)
    for wrong, order in (
        (cursor, other),
        (cursor[:-4], ORDER),
        (cursor + "=", ORDER),
        ("?", ORDER),
        (cursor * 9, ORDER),
    ):
        with pytest.raises(InvalidCursorError):
            order.page(bookings_visible_by_role(people.worker), wrong, 1)


@given(cursor=st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1))
def test_any_text_is_read_or_rejected(cursor: str) -> None:
    with pytest.raises(InvalidCursorError):
        ORDER.page([], cursor, 1)
