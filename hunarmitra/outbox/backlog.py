"""The backlog: how many committed events are not published, and how old the oldest is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hunarmitra.common.clock import utc_now
from hunarmitra.outbox.models import outbox_models

MOST_COUNTED = 10_000
"""Counting stops here: a longer backlog is not worse to know, but costs more to count at each look."""


@dataclass(frozen=True)
class Backlog:
    """Unpublished rows by stream, the age of the oldest in seconds (0 without any), and quarantined rows by stream."""

    rows: Mapping[str, int]
    oldest_age: float
    quarantined: Mapping[str, int] = field(default_factory=dict)


def backlog() -> Backlog:
    """Measure the outbox: three queries for each table, on the index of the unpublished rows."""
    rows: dict[str, int] = {}
    quarantined: dict[str, int] = {}
    oldest = now = utc_now()
    for model in outbox_models():
        stream = model._meta.app_label
        waiting = model.unpublished().order_by("created_at")
        rows[stream] = waiting[:MOST_COUNTED].count()
        quarantined[stream] = model.quarantined()[:MOST_COUNTED].count()
        first = waiting.values_list("created_at", flat=True).first()
        oldest = min(oldest, first or now)
    return Backlog(rows, (now - oldest).total_seconds(), quarantined)
