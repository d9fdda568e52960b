"""Lists by cursor over HTTP, and their query plans on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.actors import Actor, Actors, seed
from tests.support.api import Api
from tests.support.shell import Shell
from tests.support.stack import Stack

pytestmark = pytest.mark.either_shape


def follow(api: Api, path: str, *, between: Callable[[], object] = lambda: None) -> list[Any]:
    """Read all pages; call `between` after each."""
    rows: list[Any] = []
    address: str | None = path
    while address is not None:
        answer = api.call("GET", address)
        assert set(answer) == {"next", "previous", "results"}
        rows += answer["results"]
        address = answer["next"]
        between()
    return rows


@pytest.fixture
def employer(stack: Stack) -> Iterator[Actor]:
    """An employer that only this test knows."""
    (user,) = seed(stack, ["employer"], sign_in=True)
    with closing(Actor(stack.base_url, user)) as actor:
        yield actor


def test_bookings_that_arrive_while_one_reads_move_nothing(employer: Actor) -> None:
    before = [employer.create_booking(service=f"No. {number}")["id"] for number in range(7)]
    found = [row["id"] for row in follow(employer, "bookings/?cursor=&page_size=2", between=employer.create_booking)]
    assert found == before[::-1]


def test_the_filter_and_the_size_are_kept_and_previous_leads_back(employer: Actor) -> None:
    made = [employer.create_booking()["id"] for _ in range(5)]
    employer.status(made[2], "cancelled")
    first = employer.call("GET", "bookings/?cursor=&page_size=2&status=requested")
    assert [row["id"] for row in first["results"]] == [made[4], made[3]]
    assert first["previous"] is None
    query = parse_qs(urlsplit(first["next"]).query)
    assert (query["page_size"], query["status"]) == (["2"], ["requested"])
    second = employer.call("GET", first["next"])
    assert [row["id"] for row in second["results"]] == [made[1], made[0]]
    assert second["next"] is None
    assert employer.call("GET", second["previous"])["results"] == first["results"]


def test_a_worker_reads_own_orders_and_jobs_once(actors: Actors) -> None:
    bookings = [actors.new_booking() for _ in range(3)]
    for actor in (actors.worker, actors.employer, actors.admin):
        found = [row["id"] for row in follow(actor, "bookings/?cursor=&page_size=50")]
        assert len(found) == len(set(found))
        assert [key for key in found if key in bookings] == bookings[::-1]
    assert follow(actors.stranger, "bookings/?cursor=") == actors.stranger.bookings()["results"], (
        "a cursor shows nothing that page numbers do not"
    )


def test_notifications_and_workers_have_cursors_too(actors: Actors) -> None:
    for _ in range(2):
        actors.new_booking("on_the_way")
    found = [
        row["seq"] for row in follow(actors.employer, "notifications/?cursor=&page_size=1", between=actors.new_booking)
    ]
    assert found == sorted(set(found), reverse=True)
    assert found[-1] == 1
    unread = follow(actors.employer, "notifications/?cursor=&unread=true&page_size=3")
    assert all(row["read_at"] is None for row in unread)
    workers = [row["id"] for row in follow(actors.admin, "workers/?cursor=&page_size=1")]
    assert workers == sorted(set(workers))
    assert {actors.worker.id, actors.other_worker.id} <= set(workers)
    assert actors.employer.send("GET", "workers/?cursor=").status_code == 403


@pytest.mark.parametrize("cursor", ["x", "..", "%00", "%C3%A9", "a" * 300, "bm90IGEgY3Vyc29y", "https://example.org/"])
def test_a_bad_cursor_is_400_and_says_where_to_get_one(actors: Actors, cursor: str) -> None:
    for path in ("bookings/", "notifications/", "workers/"):
        answer = actors.admin.call("GET", f"{path}?cursor={cursor}", expect=400)
        assert answer["fields"] == {
            "cursor": ["Not a cursor of this list. Take it from next or previous; begin with ?cursor= alone."]
        }


def test_a_cursor_of_another_list_or_with_a_page_is_400(employer: Actor) -> None:
    for _ in range(2):
        employer.create_booking()
    following = employer.call("GET", "bookings/?cursor=&page_size=1")["next"]
    cursor = parse_qs(urlsplit(following).query)["cursor"][0]
    employer.call("GET", f"notifications/?cursor={cursor}", expect=400)
    both = employer.call("GET", f"bookings/?cursor={cursor}&page=1", expect=400)
    assert both["fields"] == {"cursor": ["Give cursor or page, not both."]}
    employer.call("GET", f"bookings/?cursor={cursor}&page_size=no", expect=400)


def plans_of_cursors(employer_id: str, worker_id: str) -> list[str]:
    """Return the query plan of a second page, with 20,000 rows: of each part of each list."""
    from datetime import timedelta

    from django.db import connection, transaction

    from hunarmitra.accounts.models import User
    from hunarmitra.bookings.models import Booking
    from hunarmitra.bookings.selectors import bookings_visible_by_role
    from hunarmitra.common.clock import utc_now
    from hunarmitra.notifications.models import Notification
    from hunarmitra.notifications.selectors import notifications_of
    from hunarmitra_http.cursors import CursorOrder
    from hunarmitra_http.views.bookings import BookingsView
    from hunarmitra_http.views.notifications import NotificationsView

    owner, worker = User.objects.get(pk=employer_id), User.objects.get(pk=worker_id)
    staff = User(is_staff=True, is_superuser=True, role="admin")
    now = utc_now()
    found: list[str] = []
    with transaction.atomic():
        Booking.objects.bulk_create(
            Booking(owner=owner, worker=worker, service="x", created_at=now - timedelta(seconds=n), updated_at=now)
            for n in range(20000)
        )
        Notification.objects.bulk_create(
            Notification(user=owner, seq=n + 1000, title="x", message="x", created_at=now, published_at=now)
            for n in range(20000)
        )
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE bookings_booking")
            cursor.execute("ANALYZE notifications_notification")

        def explain(parts: Sequence[Any], order: CursorOrder) -> None:
            position = order._read(order.page(parts, "", 5).next or "")
            names = [("-" if key.descending else "") + key.field for key in order._keys]
            following = order._beyond(position)
            found.extend(part.filter(following).order_by(*names)[:21].explain() for part in parts)

        for user in (owner, worker, staff):
            explain(bookings_visible_by_role(user), BookingsView.cursor_order)
        explain([notifications_of(owner.pk)], NotificationsView.cursor_order)
        transaction.set_rollback(True)
    return found


@pytest.mark.slow
def test_each_part_of_a_list_is_read_by_an_index_in_its_order(stack: Stack, shell: Shell, employer: Actor) -> None:
    if stack.kind != "distributed":
        pytest.skip("the plans of PostgreSQL")
    (worker,) = seed(stack, ["worker"])
    plans = shell.call(plans_of_cursors, employer_id=employer.id, worker_id=worker.id)
    assert len(plans) == 6
    for plan in plans:
        assert "Index Scan" in plan, plan
        assert "Seq Scan on bookings_booking" not in plan, plan
        assert "Seq Scan on notifications" not in plan, plan
        assert "Bitmap" not in plan, plan
