"""What this process counts of its sockets, its hub and its event loop: one object, :data:`metrics`.

Everything is counted on the event loop, as plain numbers (:mod:`hunarmitra.telemetry.loop`), so that it works
the same under our server, daphne and uvicorn. Gauges are functions, which whoever knows the number puts in: the hub,
and our server what it knows better or alone.
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

Origin = Arrival | float | None
"""A message with its times, the commit (seconds since 1970) of an event read from the database, or not known."""


class Metrics:
    """Observed as things happen; only the gauges are read when a scrape comes."""

    def __init__(self) -> None:
        self.connects = LoopCounter(catalogue.WS_CONNECTS)
        self.handshakes = LoopCounter(catalogue.WS_HANDSHAKES)
        self.handshake_seconds = LoopHistogram(catalogue.WS_HANDSHAKE_DURATION)
        self.closes = LoopCounter(catalogue.WS_CLOSES)
        self.deliveries = LoopCounter(catalogue.WS_DELIVERIES)
        self.resumes = LoopCounter(catalogue.WS_RESUMES)
        self.resumed_events = LoopHistogram(catalogue.WS_RESUMED_EVENTS)
        self.locations_conflated = LoopCounter(catalogue.WS_LOCATIONS_CONFLATED)
        self.slow_clients_closed = LoopCounter(catalogue.WS_SLOW_CLIENTS)
        self.subscriber_reconnects = LoopCounter(catalogue.WS_SUBSCRIBER_RECONNECTS)
        self.gaps = LoopCounter(catalogue.WS_GAPS)
        self.events_recovered = LoopCounter(catalogue.WS_EVENTS_RECOVERED)
        self.comparison_failures = LoopCounter(catalogue.WS_COMPARISON_FAILURES)
        self.loop_delay = LoopHistogram(catalogue.WS_LOOP_DELAY)
        self.drain_moved = LoopCounter(catalogue.WS_DRAIN_MOVED)
        self.drain_cut_off = LoopCounter(catalogue.WS_DRAIN_CUT_OFF)
        self.replayed_age = LoopHistogram(catalogue.REPLAYED_AGE)
        self.latency = EventLatency()
        self.acknowledgements = Acknowledgements()

        self._open = dict.fromkeys(catalogue.WS_CONNECTIONS.labels["kind"], 0)
        self.connections = LoopGauge(catalogue.WS_CONNECTIONS, lambda: self._open)
        self.connections_limit = LoopGauge(catalogue.WS_CONNECTIONS_LIMIT, lambda: math.inf)
        self.send_buffer = LoopGauge(catalogue.WS_SEND_BUFFER, lambda: 0)
        self.groups = LoopGauge(catalogue.WS_GROUPS, lambda: 0)
        self.draining = LoopGauge(catalogue.WS_DRAINING, lambda: 0)
        self.compared_at = time.time()
        # A process without a hub yet, because nobody has connected, is behind nothing: the hub puts in its own.
        self.comparison_success = LoopGauge(catalogue.WS_COMPARISON_SUCCESS, time.time)
        self.subscriber_connected = LoopGauge(catalogue.WS_SUBSCRIBER_CONNECTED, lambda: 1)
        self.subscriber_lag = LoopGauge(catalogue.WS_SUBSCRIBER_LAG, lambda: 0)
        # Without Redis nothing is lost on the way, and whoever asks has just been heard.
        self.subscriber_heard = LoopGauge(catalogue.WS_SUBSCRIBER_HEARD, time.time)

    def opened(self) -> None:
        self._open["joining"] += 1

    def joined(self, kind: str, seconds: float) -> None:
        """A socket went live; ``seconds`` since its handshake began."""
        self._open["joining"] -= 1
        self._open[kind] += 1
        self.connects.values[kind] += 1
        self.handshake_seconds.observe(seconds)

    def ended(self, kind: str) -> None:
        """``kind`` as it was counted last."""
        self._open[kind] -= 1

    def delivered(self, lane: str, sockets: int, origin: Origin) -> None:
        """An event went to the lanes of so many sockets, one or more; ``origin`` says how it came here."""
        self.deliveries.values[lane] += sockets
        if isinstance(origin, Arrival):
            self.latency.handed_out(origin, sockets)
        elif origin is not None:
            self.replayed_age.observe(max(0.0, time.time() - origin), sockets)

    def closed(self, code: int) -> None:
        """A client may close with any code: those that we do not know are ``other``."""
        text = str(code)
        self.closes.inc(text if text in _CLOSE_CODES else OTHER)

    def collector(self) -> LoopCollector:
        kept = (each for part in (self, self.latency, self.acknowledgements) for each in vars(part).values())
        return LoopCollector(*(each for each in kept if isinstance(each, LoopCounter | LoopGauge | LoopHistogram)))


_CLOSE_CODES: Final = frozenset(CLOSE_CODES)

metrics: Final = Metrics()
"""This process's."""
