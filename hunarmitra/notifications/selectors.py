"""Reads of notifications."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from hunarmitra.notifications.models import Notification


def notifications_of(user_id: UUID) -> QuerySet[Notification]:
    """Return the user's notifications, newest first."""
    return Notification.objects.filter(user_id=user_id).order_by("-seq")


def unread_count(user_id: UUID) -> int:
    return Notification.objects.filter(user_id=user_id, read_at=None).count()


def notifications_after(user_id: UUID, since: int) -> QuerySet[Notification]:
    """Return the notifications after ``since``, in order."""
    return Notification.objects.filter(user_id=user_id, seq__gt=since).order_by("seq")
