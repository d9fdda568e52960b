"""Writes of notifications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from hunarmitra.accounts.services import notification_seq_advance
from hunarmitra.common.clock import utc_now
from hunarmitra.database.retries import whole_transaction
from hunarmitra.database.rows import RowWriter
from hunarmitra.notifications.models import Notification

_ROWS: Final = RowWriter(Notification)


@dataclass(frozen=True)
class Draft:
    """A notification that has no number yet."""

    user_id: UUID
    title: str
    message: str
    data: Mapping[str, Any]


def notifications_write(*, drafts: Sequence[Draft], moment: datetime) -> list[Notification]:
    """Number and store notifications in the caller's transaction, in the order of the drafts. Does not publish them."""
    assert transaction.get_connection().in_atomic_block
    counts: dict[UUID, int] = {}
    for draft in drafts:
        counts[draft.user_id] = counts.get(draft.user_id, 0) + 1
    next_seq = notification_seq_advance(counts=counts)
    notifications = []
    for draft in drafts:
        notifications.append(
            Notification(
                user_id=draft.user_id,
                seq=next_seq[draft.user_id],
                title=draft.title,
                message=draft.message,
                data=dict(draft.data),
                created_at=moment,
            )
        )
        next_seq[draft.user_id] += 1
    _ROWS.insert(notifications)
    return notifications


@whole_transaction
def notification_mark_read(*, user_id: UUID, notification_id: UUID) -> Notification | None:
    """Mark a notification as read, and return it, or None if the user has no such notification."""
    Notification.objects.filter(pk=notification_id, user_id=user_id, read_at=None).update(read_at=utc_now())
    return Notification.objects.filter(pk=notification_id, user_id=user_id).first()


@whole_transaction
def notifications_mark_all_read(*, user_id: UUID) -> int:
    """Mark all as read. Return how many were unread."""
    return Notification.objects.filter(user_id=user_id, read_at=None).update(read_at=utc_now())
