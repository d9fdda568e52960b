"""Measure the time from an event's commit to its delivery: one measurement for all connections of a channel.

A message has the times of its commit and its publish. When a channel has delivered the message to its lanes, the
current end of the write queue is stored. When the queue is written up to that end, all connections of the channel are
written, and one observation counts for all of them. A client that does not read is written later. Its delay is not
included, because it says nothing about the server.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Protocol

from django.conf import settings

from hunarmitra.telemetry import catalogue, tracing
from hunarmitra.telemetry.labels import LANES
from hunarmitra.telemetry.loop import LoopCounter, LoopHistogram
from hunarmitra.telemetry.tracing import NO_SPAN, Span, Value

_MICROSECOND: Final = 1e-6


@dataclass(slots=True)
class Arrival:
    """When an event was committed and when it arrived here, in seconds since 1970.

    ``trace_id`` and ``span`` are set if the event is part of a recorded trace; the span ends with the last write.
    """

    committed_at: float
    received_at: float
    lane: str
    ack: bool = False
    trace_id: str | None = None
    span: Span = NO_SPAN


class Writes(Protocol):
    """A write queue. ``written`` counts the written connections; ``end`` is that count when the queue is empty."""

    written: int

    @property
    def end(self) -> int: ...


class EventLatency:
    """The latency metrics of this process's events. All methods run on the event loop."""

    def __init__(self) -> None:
        stages = [(stage, lane) for stage in catalogue.SOCKET_STAGES for lane in LANES]
        self.histogram = LoopHistogram(catalogue.EVENT_LATENCY, tuple(stages))
        self.skewed = LoopCounter(catalogue.EVENT_CLOCK_SKEW)
        series = self.histogram.series
        self._to_pod = {lane: series["published_to_pod", lane] for lane in LANES}
        self._to_socket = {lane: (series["pod_to_socket", lane], series["commit_to_socket", lane]) for lane in LANES}
        self._writes: Writes | None = None
        self._pending: deque[tuple[int, Arrival, int]] = deque()

    def follow(self, writes: Writes) -> None:
        """Use the ws server's queue, which calls :meth:`written` after each slice. Stock servers have no such queue."""
        self._writes = writes

    def arrived(self, body: Mapping[str, Any], lane: str) -> Arrival | None:
        """Record the arrival of a message. Return None if it has no times, as from a publisher of an older version."""
        committed, published = body.get("committed_at"), body.get("published_at")
        if not isinstance(committed, int) or not isinstance(published, int):
            return None
        now = time.time()
        arrival = Arrival(committed * _MICROSECOND, now, lane, "ack" in body and bool(body["ack"]))
        if "traceparent" in body:
            traceparent = body["traceparent"]
            arrival.trace_id, arrival.span = tracing.trace_id_of(traceparent), _deliver_span(traceparent, lane)
        seconds = now - published * _MICROSECOND
        if seconds < 0:
            self.skewed.values[""] += 1
            seconds = 0.0
        self._to_pod[lane].observe(seconds, 1, arrival.trace_id)
        return arrival

    def delivered(self, arrival: Arrival, connections: int) -> None:
        """Record that an event was pushed to the lanes of ``connections`` connections, at least one."""
        if self._writes is None:
            # ASGI lanes write in tasks that were created before this call.
            asyncio.get_running_loop().call_soon(self._observe, arrival, connections, None)
        else:
            self._pending.append((self._writes.end, arrival, connections))

    def written(self) -> None:
        """Observe the events whose last connection was in the slice that was just written."""
        pending, writes = self._pending, self._writes
        if not pending or writes is None or pending[0][0] > writes.written:
            return
        now, written = time.time(), writes.written
        while pending and pending[0][0] <= written:
            _, arrival, connections = pending.popleft()
            self._observe(arrival, connections, now)

    def _observe(self, arrival: Arrival, connections: int, now: float | None) -> None:
        if now is None:
            now = time.time()
        from_pod, from_commit = self._to_socket[arrival.lane]
        from_pod.observe(now - arrival.received_at, connections, arrival.trace_id)
        seconds = now - arrival.committed_at
        if seconds < 0:
            self.skewed.values[""] += 1
            seconds = 0.0
        from_commit.observe(seconds, connections, arrival.trace_id)
        if arrival.span is not NO_SPAN:
            arrival.span.set("hunarmitra.sockets", connections)
            arrival.span.end()


def _deliver_span(traceparent: object, lane: str) -> Span:
    """Start the span from an event's arrival to the write of its last connection; one for each event and process."""
    return tracing.continued_span(f"deliver {lane}", traceparent, "consumer", _deliver_attributes(lane))


@cache
def _deliver_attributes(lane: str) -> dict[str, Value]:
    return {
        "messaging.system": "memory" if settings.ENVIRONMENT.redis_url is None else "redis",
        "messaging.operation.name": "deliver",
        "messaging.operation.type": "process",
        "hunarmitra.lane": lane,
    }
