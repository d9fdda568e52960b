"""Reads of notifications."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db.models import QuerySet

from hunarmitra.database import prepared
from hunarmitra.database.rows import one_of
from hunarmitra.notifications.models import Notification


def notifications_of(user_id: UUID) -> QuerySet[Notification]:
    """Return the user's notifications, newest first."""
    return Notification.objects.filter(user_id=user_id).order_by("-seq")


def unread_count(user_id: UUID) -> int:
    return Notification.objects.filter(user_id=user_id, read_at=None).count()


def unread_counts(user_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return how many unread notifications each user has, in one query; no entry for a user without any."""
    if not user_ids:
        return {}
    users, parameters = one_of(Notification, "user", user_ids)
    statement = (
        f"SELECT user_id, count(*) FROM notifications_notification WHERE {users} AND read_at IS NULL"  # noqa: S608 - names
        " GROUP BY user_id"
    )
    # SQLite has no UUID type and returns text.
    return {UUID(str(user_id)): count for user_id, count in prepared.execute(statement, parameters)}


def notifications_after(user_id: UUID, since: int) -> QuerySet[Notification]:
    """Return the notifications after ``since``, in order."""
    return Notification.objects.filter(user_id=user_id, seq__gt=since).order_by("seq")
