"""Deleting revocations that every token they could concern has outlived."""

from __future__ import annotations

from datetime import datetime

from hunarmitra.common.batches import delete_in_batches
from hunarmitra.outbox.models import Revocation


def revocations_prune(*, created_before: datetime, dry_run: bool) -> int:
    """``created_before`` is at least a refresh token's lifetime ago; the numbers go on from the counter."""
    return delete_in_batches(Revocation.objects.filter(created_at__lt=created_before), dry_run=dry_run)
