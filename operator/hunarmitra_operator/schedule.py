"""Scheduled peaks: the least number of replicas at a given moment."""

from __future__ import annotations

from datetime import datetime, timedelta

from hunarmitra_operator.hpa import Bounds
from hunarmitra_operator.model import Peak, Spec


def active(peak: Peak, now: float) -> bool:
    """Return whether the peak holds at `now`, on the wall clock of its time zone.

    A peak that ends at or before its start ends on the next day. It belongs to the day on which it starts.
    """
    local = datetime.fromtimestamp(now, peak.zone)
    clock, today = local.time(), local.weekday()
    if peak.start < peak.end:
        return today in peak.days and peak.start <= clock < peak.end
    yesterday = (local.date() - timedelta(days=1)).weekday()
    return (today in peak.days and clock >= peak.start) or (yesterday in peak.days and clock < peak.end)


def bounds(spec: Spec, now: float) -> tuple[Bounds, str]:
    """Return the bounds at `now`, and the name of the peak that raised the lower one, or an empty string.

    The upper bound always wins.
    """
    low, name = spec.min_replicas, ""
    for peak in spec.schedule:
        if peak.min_replicas > low and active(peak, now):
            low, name = peak.min_replicas, peak.name
    return Bounds(min(low, spec.max_replicas), spec.max_replicas), name
