"""What the ws server counts of its connections, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

KINDS: Final = ("booking", "notifications", "joining")
KNOWN_CODES: Final = frozenset({1000, 1001, 1002, 1006, 1009, 1011, 4001, 4003, 4004, 4008, 4012, 4013, 4029})


class _Connections(Collector):
    def __init__(self, read: Callable[[], Mapping[str, int]]) -> None:
        self._read = read

    def collect(self) -> list[GaugeMetricFamily]:
        family = GaugeMetricFamily("hunarmitra_ws_connections", "Open connections.", labels=["kind"])
        for kind, number in self._read().items():
            family.add_metric([kind], number)
        return [family]


class ServerMetrics:
    """Each server has a registry of its own. A client may close with any code: those we do not know are ``other``."""

    def __init__(self, connections: Callable[[], Mapping[str, int]], draining: Callable[[], bool]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Connections(connections))
        self._closes = Counter(
            "hunarmitra_ws_closes", "Closed connections, by close code.", ["code"], registry=self._registry
        )
        for code in KNOWN_CODES:
            self._closes.labels(str(code))
        self._events = {
            "conflated": Counter(
                "hunarmitra_ws_locations_conflated",
                "Positions that a newer one replaced before they were written.",
                registry=self._registry,
            ),
            "overflow": Counter(
                "hunarmitra_ws_overflows", "Clients closed because they read too slowly.", registry=self._registry
            ),
        }
        Gauge("hunarmitra_ws_draining", "1 while this process drains.", registry=self._registry).set_function(
            lambda: float(draining())
        )

    def closed(self, code: int) -> None:
        self._closes.labels(str(code) if code in KNOWN_CODES else "other").inc()

    def count(self, what: str) -> None:
        self._events[what].inc()

    def render(self) -> bytes:
        return bytes(generate_latest(self._registry))
