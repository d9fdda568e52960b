"""Delete many rows in short transactions: no lock is held for long, and no statement times out."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import QuerySet

BATCH: Final = 1000


def delete_in_batches(rows: QuerySet[Any], *, dry_run: bool) -> int:
    """Delete ``rows`` and the rows that depend on them. Return the number of ``rows``."""
    if dry_run:
        return rows.count()
    deleted = 0
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        rows.model._default_manager.filter(pk__in=keys).delete()
        deleted += len(keys)
    return deleted
