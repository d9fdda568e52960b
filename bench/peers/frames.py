"""The frame that every server is measured with, as the load generator's own (``go/loadgen/encoding.go``)."""

from __future__ import annotations

import time

STATUS = "on_the_way"
EVENT_TYPE = "booking_on_the_way"
ACTOR = "Ravi Kumar"
TIMESTAMP = "2026-01-03T11:00:00.000000Z"


def event_frame(group: str, seq: int) -> str:
    """Stamped with the time of publishing (CLOCK_MONOTONIC, ns)."""
    return (
        f'{{"type":"booking_status","booking_id":"{group}","status":"{STATUS}","event_type":"{EVENT_TYPE}",'
        f'"actor":"{ACTOR}","timestamp":"{TIMESTAMP}","seq":{seq},"sent":{time.monotonic_ns()}}}'
    )
