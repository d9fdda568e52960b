"""How long events take to sockets, measured once for each fan-out and slice of writes, never for each socket.

A message tells when its transaction committed and when it was published. When it is handed to a group, the write
queue's end is noted; when the queue has come that far, all of the group's sockets have been written to, and one
observation stands for all of them. A socket whose client does not read is written to when that client reads: its
wait says nothing about us and is not in here.
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
    """When an event was committed and came here, in seconds since 1970.

    ``trace_id`` and ``span`` are there when it is part of a recorded trace; the span lasts to the last socket's write.
    """

    committed_at: float
    received_at: float
    lane: str
    ack: bool = False
    trace_id: str | None = None
    span: Span = NO_SPAN


class Writes(Protocol):
    """A queue of sockets to write to: so many were written in all, and so many will have been once it is empty."""

    written: int

    @property
    def end(self) -> int: ...


class EventLatency:
    """All calls on the event loop."""

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
        """Our server's queue; :meth:`written` is called after each slice. Others write when the loop comes by."""
        self._writes = writes

    def arrived(self, body: Mapping[str, Any], lane: str) -> Arrival | None:
        """A message reached this process. None when it does not tell its times: an older process published it."""
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
        """Take note that an event was pushed to the lanes of ``connections`` connections, at least one."""
        if self._writes is None:
            # Lanes over ASGI write in tasks that were made before this.
            asyncio.get_running_loop().call_soon(self._observe, arrival, connections, None)
        else:
            self._pending.append((self._writes.end, arrival, connections))

    def written(self) -> None:
        """The queue has written a slice."""
        pending, writes = self._pending, self._writes
        if not pending or writes is None or pending[0][0] > writes.written:
            return
        now, written = time.time(), writes.written
        while pending and pending[0][0] <= written:
            _, arrival, sockets = pending.popleft()
            self._observe(arrival, sockets, now)

    def _observe(self, arrival: Arrival, sockets: int, now: float | None) -> None:
        if now is None:
            now = time.time()
        from_pod, from_commit = self._to_socket[arrival.lane]
        from_pod.observe(now - arrival.received_at, sockets, arrival.trace_id)
        seconds = now - arrival.committed_at
        if seconds < 0:
            self.skewed.values[""] += 1
            seconds = 0.0
        from_commit.observe(seconds, sockets, arrival.trace_id)
        if arrival.span is not NO_SPAN:
            arrival.span.set("hunarmitra.sockets", sockets)
            arrival.span.end()


def _deliver_span(traceparent: object, lane: str) -> Span:
    """From an event's arrival to the last socket's write; one for each event and process, however many sockets."""
    return tracing.continued_span(f"deliver {lane}", traceparent, "consumer", _deliver_attributes(lane))


@cache
def _deliver_attributes(lane: str) -> dict[str, Value]:
    return {
        "messaging.system": "memory" if settings.ENVIRONMENT.redis_url is None else "redis",
        "messaging.operation.name": "deliver",
        "messaging.operation.type": "process",
        "hunarmitra.lane": lane,
    }
