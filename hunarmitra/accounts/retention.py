"""Delete sessions, tickets and tokens that are no longer valid, and hash refresh tokens stored by older versions."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.apps import apps
from django.conf import settings
from django.db.models import Q
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from hunarmitra.accounts.models import Session, Ticket
from hunarmitra.accounts.tokens import STORED_PREFIX, stored_form
from hunarmitra.common.batches import BATCH, delete_in_batches


def sessions_prune(*, now: datetime, dry_run: bool) -> int:
    """Delete sessions that have expired, with their tickets.

    A session that reached its absolute lifetime stays until its newest refresh token expires, so that its use gets the
    code ``session_expired``.
    """
    environment = settings.ENVIRONMENT
    begun = now - timedelta(seconds=environment.session_lifetime)
    unused = begun - timedelta(seconds=environment.jwt_refresh_lifetime)
    expired = Session.objects.filter(Q(created_at__gt=begun) | Q(created_at__lt=unused), expires_at__lt=now)
    return delete_in_batches(expired, dry_run=dry_run)


def tickets_prune(*, now: datetime, dry_run: bool) -> int:
    """Delete expired tickets, used or not."""
    return delete_in_batches(Ticket.objects.filter(expires_at__lt=now), dry_run=dry_run)


def refresh_tokens_prune(*, now: datetime, dry_run: bool) -> int:
    """Delete simplejwt's outstanding tokens with their blacklist entries, after their expiry and the leeway.

    Within the leeway an expired token is still accepted, so a spent one would be valid again without its entry.
    """
    expired = now - timedelta(seconds=settings.ENVIRONMENT.jwt_leeway)
    return delete_in_batches(OutstandingToken.objects.filter(expires_at__lt=expired), dry_run=dry_run)


def refresh_tokens_hash(*, dry_run: bool) -> int:
    """Replace refresh tokens in plain text by their hashes. Pods of version 0.1 write them during an upgrade."""
    plain = OutstandingToken.objects.exclude(token__startswith=STORED_PREFIX)
    if dry_run:
        return plain.count()
    hashed = 0
    while rows := list(plain.order_by("pk").only("token")[:BATCH]):
        for row in rows:
            row.token = stored_form(row.token)
        OutstandingToken.objects.bulk_update(rows, ["token"], batch_size=100)
        hashed += len(rows)
    return hashed


def browser_sessions_prune(*, now: datetime, dry_run: bool) -> int:
    """Delete expired sessions of Django's admin, if this process has it."""
    if not apps.is_installed("django.contrib.sessions"):
        return 0
    sessions = apps.get_model("sessions", "Session")
    return delete_in_batches(sessions._default_manager.filter(expire_date__lt=now), dry_run=dry_run)
