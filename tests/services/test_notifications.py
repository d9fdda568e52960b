"""Services and selectors of notifications."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from hunarmitra.accounts.models import User
from hunarmitra.common.clock import utc_now
from hunarmitra.notifications import selectors
from hunarmitra.notifications.models import Notification
from hunarmitra.notifications.retention import notifications_prune
from hunarmitra.notifications.services import (
    Draft,
    notification_mark_read,
    notifications_mark_all_read,
    notifications_write,
)
from tests.services.people import People


def write(*users: User) -> list[Notification]:
    drafts = [Draft(user_id=user.pk, title="Title", message="Text", data={"n": n}) for n, user in enumerate(users)]
    with transaction.atomic():
        return notifications_write(drafts=drafts, moment=utc_now())


def prune(read_before: datetime, *, dry_run: bool, unread_before: datetime | None = None) -> int:
    """Unread ones are kept, unless `unread_before` is given."""
    long_ago = read_before - timedelta(days=1000)
    return notifications_prune(
        created_before=read_before, unread_created_before=unread_before or long_ago, dry_run=dry_run
    )


def seqs(user: User) -> list[int]:
    return list(Notification.objects.filter(user=user).order_by("seq").values_list("seq", flat=True))


def test_each_user_has_numbers_without_gaps_in_the_order_of_the_drafts(people: People) -> None:
    owner, worker = people.owner, people.worker
    written = write(owner, worker, owner) + write(owner)
    assert [(row.user_id, row.seq) for row in written] == [
        (owner.pk, 1),
        (worker.pk, 1),
        (owner.pk, 2),
        (owner.pk, 3),
    ]
    owner.refresh_from_db()
    assert owner.notification_seq == 3
    assert list(Notification.objects.filter(user=owner).order_by("seq").values_list("data", flat=True)) == [
        {"n": 0},
        {"n": 2},
        {"n": 0},
    ]


def test_a_rollback_takes_the_numbers_back(people: People) -> None:
    with transaction.atomic():
        notifications_write(drafts=[Draft(user_id=people.owner.pk, title="", message="", data={})], moment=utc_now())
        transaction.set_rollback(True)
    write(people.owner)
    assert seqs(people.owner) == [1]


def test_no_drafts_are_no_notifications() -> None:
    assert write() == []


def test_reading_keeps_the_first_time(people: People) -> None:
    [row] = write(people.owner)
    first = notification_mark_read(user_id=people.owner.pk, notification_id=row.pk)
    again = notification_mark_read(user_id=people.owner.pk, notification_id=row.pk)
    assert first is not None
    assert again is not None
    assert first.read_at is not None
    assert first.read_at == again.read_at


@pytest.mark.parametrize("whose", ["another user's", "nobody's"])
def test_only_the_users_own_notifications_are_marked(people: People, whose: str) -> None:
    [row] = write(people.worker)
    wanted = row.pk if whose == "another user's" else uuid4()
    assert notification_mark_read(user_id=people.owner.pk, notification_id=wanted) is None
    row.refresh_from_db()
    assert row.read_at is None


def test_marking_all_counts_the_unread(people: People) -> None:
    first, *_ = write(people.owner, people.owner, people.owner, people.worker)
    notification_mark_read(user_id=people.owner.pk, notification_id=first.pk)
    assert selectors.unread_count(people.owner.pk) == 2
    assert notifications_mark_all_read(user_id=people.owner.pk) == 2
    assert notifications_mark_all_read(user_id=people.owner.pk) == 0
    assert (selectors.unread_count(people.owner.pk), selectors.unread_count(people.worker.pk)) == (0, 1)


def test_lists_are_newest_first_and_replays_in_order(people: People) -> None:
    write(people.owner, people.owner, people.worker, people.owner)
    assert [row.seq for row in selectors.notifications_of(people.owner.pk)] == [3, 2, 1]
    assert [row.seq for row in selectors.notifications_after(people.owner.pk, 1)] == [2, 3]
    assert list(selectors.notifications_after(people.owner.pk, 3)) == []


@pytest.mark.parametrize(
    ("read_and_old", "unread_and_old", "left"),
    [
        ([], [], [1, 2, 3, 4, 5]),
        ([1, 2], [], [3, 4, 5]),
        ([1, 2, 4], [3], [3, 4, 5]),  # notifications after an unread one stay, so there is no gap
        ([2, 3], [], [1, 2, 3, 4, 5]),
        ([1, 2, 3, 4, 5], [], [5]),  # the newest one shows which were pruned
    ],
)
def test_a_users_oldest_read_notifications_are_pruned(
    people: People, read_and_old: list[int], unread_and_old: list[int], left: list[int]
) -> None:
    write(*[people.owner] * 5, people.worker)
    before = utc_now() - timedelta(days=90)
    own = Notification.objects.filter(user=people.owner)
    own.filter(seq__in=read_and_old).update(created_at=before - timedelta(seconds=1), read_at=before)
    own.filter(seq__in=unread_and_old).update(created_at=before - timedelta(seconds=1))
    gone = 5 - len(left)
    assert prune(before, dry_run=True) == gone
    assert seqs(people.owner) == [1, 2, 3, 4, 5], "a dry run deletes nothing"
    assert prune(before, dry_run=False) == gone
    assert seqs(people.owner) == left
    assert seqs(people.worker) == [1]
    write(people.owner)
    assert seqs(people.owner) == [*left, 6], "numbers continue"


def test_unread_notifications_are_pruned_after_a_longer_time(people: People) -> None:
    write(*[people.owner] * 5)
    now = utc_now()
    read_before, unread_before = now - timedelta(days=90), now - timedelta(days=365)
    own = Notification.objects.filter(user=people.owner)
    own.filter(seq__in=[1, 3]).update(created_at=unread_before - timedelta(seconds=1))
    own.filter(seq=2).update(created_at=read_before - timedelta(seconds=1), read_at=now)
    own.filter(seq=4).update(created_at=unread_before + timedelta(days=1))
    assert prune(read_before, dry_run=True, unread_before=unread_before) == 3
    assert prune(read_before, dry_run=False, unread_before=unread_before) == 3
    assert seqs(people.owner) == [4, 5], "an unread one is kept for a year"
    own.filter(seq=4).update(created_at=unread_before - timedelta(seconds=1))
    assert prune(read_before, dry_run=False, unread_before=now) == 1
    assert seqs(people.owner) == [5], "unread ones are never kept for a shorter time than read ones"
