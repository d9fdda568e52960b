"""Acknowledgements that clients were asked for: who still owes one, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hunarmitra.telemetry import catalogue
from hunarmitra.telemetry.loop import LoopCounter, LoopHistogram

MOST_AWAITED: Final = 1000
LONGEST_WAIT: Final = 60.0
"""Events that are remembered, and seconds for which: a client that answers later, or never, counts as one that did
not. What is remembered of an event is a number for each of its sockets."""


@dataclass(slots=True)
class _Awaited:
    committed_at: float
    asked_at: float
    sockets: set[int]


class Acknowledgements:
    """Sockets are known by their ``id()``: one that is gone is not kept alive by what it owes."""

    def __init__(self) -> None:
        self.requested = LoopCounter(catalogue.WS_ACKS_REQUESTED)
        self.received = LoopCounter(catalogue.WS_ACKS)
        self.latency = LoopHistogram(catalogue.WS_ACKNOWLEDGED_LATENCY)
        self._awaited: dict[tuple[str, int], _Awaited] = {}

    def ask(self, group: str, seq: int, committed_at: float, sockets: Iterable[int]) -> None:
        """An event that asks for it was handed to these sockets; ``committed_at`` in seconds since 1970."""
        now = time.time()
        awaited = self._awaited[group, seq] = _Awaited(committed_at, now, set(sockets))
        self.requested.inc(amount=len(awaited.sockets))
        while len(self._awaited) > MOST_AWAITED or now - next(iter(self._awaited.values())).asked_at > LONGEST_WAIT:
            del self._awaited[next(iter(self._awaited))]

    def receive(self, group: str, seq: int, socket: int) -> bool:
        """False for one that nobody asked for, or that came before, or too late."""
        awaited = self._awaited.get((group, seq))
        if awaited is None or socket not in awaited.sockets:
            return False
        awaited.sockets.discard(socket)
        self.received.inc()
        self.latency.observe(max(0.0, time.time() - awaited.committed_at))
        return True
