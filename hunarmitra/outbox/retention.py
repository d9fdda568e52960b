"""Delete revocations that no valid token needs any more."""

from __future__ import annotations

from datetime import datetime

from hunarmitra.common.batches import delete_in_batches
from hunarmitra.outbox.models import Revocation


def revocations_prune(*, created_before: datetime, dry_run: bool) -> int:
    """Delete revocations older than ``created_before``: at least the lifetime of a refresh token ago.

    The counter is kept, so numbers continue. Return the number of rows.
    """
    return delete_in_batches(Revocation.objects.filter(created_at__lt=created_before), dry_run=dry_run)
