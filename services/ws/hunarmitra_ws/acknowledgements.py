"""Track the acknowledgements requested from clients: which are outstanding, and their latency."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hunarmitra.telemetry import catalogue
from hunarmitra.telemetry.loop import LoopCounter, LoopHistogram

MOST_AWAITED: Final = 1000
LONGEST_WAIT: Final = 60.0
"""The most events that are remembered, and for how many seconds. A later acknowledgement is not counted. An event costs
one number for each of its subscriptions."""


@dataclass(slots=True)
class _Awaited:
    committed_at: float
    asked_at: float
    subscriptions: set[int]


class Acknowledgements:
    """Identify subscriptions by their ``id()``, so that an outstanding acknowledgement does not keep them alive."""

    def __init__(self) -> None:
        self.requested = LoopCounter(catalogue.WS_ACKS_REQUESTED)
        self.received = LoopCounter(catalogue.WS_ACKS)
        self.latency = LoopHistogram(catalogue.WS_ACKNOWLEDGED_LATENCY)
        self._awaited: dict[tuple[str, int], _Awaited] = {}

    def ask(self, channel_name: str, seq: int, committed_at: float, subscriptions: Iterable[int]) -> None:
        """Remember an event that asked these subscriptions; ``committed_at`` in seconds since 1970."""
        now = time.time()
        awaited = self._awaited[channel_name, seq] = _Awaited(committed_at, now, set(subscriptions))
        self.requested.inc(amount=len(awaited.subscriptions))
        while len(self._awaited) > MOST_AWAITED or now - next(iter(self._awaited.values())).asked_at > LONGEST_WAIT:
            del self._awaited[next(iter(self._awaited))]

    def receive(self, channel_name: str, seq: int, subscription: int) -> bool:
        """Return False for an acknowledgement that was not asked for, is a repeat, or came too late."""
        awaited = self._awaited.get((channel_name, seq))
        if awaited is None or subscription not in awaited.subscriptions:
            return False
        awaited.subscriptions.discard(subscription)
        self.received.inc()
        self.latency.observe(max(0.0, time.time() - awaited.committed_at))
        return True
