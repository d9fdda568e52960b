"""Delete old notifications: read ones, and unread ones after a longer time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Max, Min, Q

from hunarmitra.notifications.models import Notification


def notifications_prune(*, created_before: datetime, unread_created_before: datetime, dry_run: bool) -> int:
    """Return the number. Deletes only a user's oldest, up to the first that must be kept, and never the newest.

    A read notification is kept if it is younger than ``created_before``, an unread one also if it is younger than
    ``unread_created_before``.

    So the rest has no gap, and ``seq`` of its oldest tells a resuming client what was pruned.
    """
    unread_before = min(created_before, unread_created_before)
    old = Q(created_at__lt=created_before, read_at__isnull=False) | Q(created_at__lt=unread_before)
    users = Notification.objects.filter(old).order_by("user_id").values_list("user_id", flat=True).distinct()
    return sum(_prune(user_id, created_before, unread_before, dry_run) for user_id in list(users))


def _prune(user_id: UUID, created_before: datetime, unread_before: datetime, dry_run: bool) -> int:
    own = Notification.objects.filter(user_id=user_id)
    kept = Q(read_at=None, created_at__gte=unread_before) | Q(created_at__gte=created_before)
    bounds = own.aggregate(first_kept=Min("seq", filter=kept), newest=Max("seq"))
    first_left = bounds["newest"] if bounds["first_kept"] is None else bounds["first_kept"]
    rows = own.filter(seq__lt=first_left)
    if dry_run:
        return rows.count()
    deleted, _ = rows.delete()
    return deleted
