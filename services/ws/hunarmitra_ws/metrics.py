"""The metrics of this process's connections, hub and event loop, in one object: :data:`metrics`.

The event loop counts plain numbers (:mod:`hunarmitra.telemetry.loop`), so the metrics are the same under the project's
server, daphne and uvicorn. Each gauge has a function that a scrape calls. The hub and the server replace these
functions.
"""

from __future__ import annotations

import math
import time
from typing import Final

from hunarmitra.telemetry import catalogue
from hunarmitra.telemetry.labels import CLOSE_CODES, OTHER
from hunarmitra.telemetry.loop import LoopCollector, LoopCounter, LoopGauge, LoopHistogram
from hunarmitra_ws.acknowledgements import Acknowledgements
from hunarmitra_ws.latency import Arrival, EventLatency
from hunarmitra_ws.recent_load import RecentLoad

Origin = Arrival | float | None
"""The origin of an event: a message with its times, the commit time of a database row, or None if it is unknown."""


class Metrics:
    """Counters and histograms, which events update, and gauges, which a scrape reads."""

    def __init__(self) -> None:
        self.connects = LoopCounter(catalogue.WS_CONNECTS)
        self.handshakes = LoopCounter(catalogue.WS_HANDSHAKES)
        self.handshake_seconds = LoopHistogram(catalogue.WS_HANDSHAKE_DURATION)
        self.closes = LoopCounter(catalogue.WS_CLOSES)
        self.connections_cut = LoopCounter(catalogue.WS_CONNECTIONS_CUT)
        self.deliveries = LoopCounter(catalogue.WS_DELIVERIES)
        self.resumes = LoopCounter(catalogue.WS_RESUMES)
        self.resumed_events = LoopHistogram(catalogue.WS_RESUMED_EVENTS)
        self.locations_conflated = LoopCounter(catalogue.WS_LOCATIONS_CONFLATED)
        self.slow_clients_closed = LoopCounter(catalogue.WS_SLOW_CLIENTS)
        self.subscriber_reconnects = LoopCounter(catalogue.WS_SUBSCRIBER_RECONNECTS)
        self.subscriber_refusals = LoopCounter(catalogue.WS_SUBSCRIBER_REFUSALS)
        self.messages_unsigned = LoopCounter(catalogue.WS_MESSAGES_UNSIGNED)
        self.gaps = LoopCounter(catalogue.WS_GAPS)
        self.events_recovered = LoopCounter(catalogue.WS_EVENTS_RECOVERED)
        self.comparison_failures = LoopCounter(catalogue.WS_COMPARISON_FAILURES)
        self.loop_delay = LoopHistogram(catalogue.WS_LOOP_DELAY)
        self.drain_moved = LoopCounter(catalogue.WS_DRAIN_MOVED)
        self.drain_cut_off = LoopCounter(catalogue.WS_DRAIN_CUT_OFF)
        self.replayed_age = LoopHistogram(catalogue.REPLAYED_AGE)
        self.latency = EventLatency()
        self.recent_load = RecentLoad()
        self.acknowledgements = Acknowledgements()

        self._open = dict.fromkeys(catalogue.WS_CONNECTIONS.labels["kind"], 0)
        self.connections = LoopGauge(catalogue.WS_CONNECTIONS, lambda: self._open)
        self.subscriptions = LoopGauge(
            catalogue.WS_SUBSCRIPTIONS, lambda: dict.fromkeys(catalogue.WS_SUBSCRIPTIONS.labels["channel"], 0)
        )
        self.connections_limit = LoopGauge(catalogue.WS_CONNECTIONS_LIMIT, lambda: math.inf)
        self.unauthenticated = LoopGauge(catalogue.WS_UNAUTHENTICATED, lambda: 0)
        self.send_buffer = LoopGauge(catalogue.WS_SEND_BUFFER, lambda: 0)
        self.channels = LoopGauge(catalogue.WS_GROUPS, lambda: 0)
        self.draining = LoopGauge(catalogue.WS_DRAINING, lambda: 0)
        self.compared_at = time.time()
        # Without a client the process has no hub, and is up to date.
        self.comparison_success = LoopGauge(catalogue.WS_COMPARISON_SUCCESS, time.time)
        self.subscriber_connected = LoopGauge(catalogue.WS_SUBSCRIBER_CONNECTED, lambda: 1)
        self.subscriber_lag = LoopGauge(catalogue.WS_SUBSCRIBER_LAG, lambda: 0)
        # Without Redis no message can be lost.
        self.subscriber_heard = LoopGauge(catalogue.WS_SUBSCRIBER_HEARD, time.time)

    def opened(self) -> None:
        self._open["joining"] += 1

    def live(self, kind: str) -> None:
        """Count a connection that went live."""
        self._open["joining"] -= 1
        self._open[kind] += 1
        self.connects.values[kind] += 1

    def ended(self, kind: str) -> None:
        """Count the end of a connection; ``kind`` is ``joining`` if it never went live."""
        self._open[kind] -= 1

    def delivered(self, lane: str, connections: int, origin: Origin) -> None:
        """Count an event that was pushed to the lanes of ``connections`` connections, at least one."""
        self.deliveries.values[lane] += connections
        if isinstance(origin, Arrival):
            self.latency.delivered(origin, connections)
        elif origin is not None:
            self.replayed_age.observe(max(0.0, time.time() - origin), connections)

    def closed(self, code: int) -> None:
        """Count a close by its code. A client may send any code; unknown codes count as ``other``."""
        text = str(code)
        self.closes.inc(text if text in _CLOSE_CODES else OTHER)

    def collector(self) -> LoopCollector:
        kept = (each for part in (self, self.latency, self.acknowledgements) for each in vars(part).values())
        return LoopCollector(*(each for each in kept if isinstance(each, LoopCounter | LoopGauge | LoopHistogram)))


_CLOSE_CODES: Final = frozenset(CLOSE_CODES)

metrics: Final = Metrics()
"""This process's metrics."""
