"""Limit failed handshakes by address, so that guessing tokens costs the server little."""

from __future__ import annotations

from typing import Final

MOST_ADDRESSES: Final = 10_000
"""The most addresses that are remembered. The oldest is forgotten first, so that memory stays bounded."""

WINDOW: Final = 60.0


class FailedHandshakes:
    """Count failures for each address in a fixed window of one minute. The caller gives times in monotonic seconds."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._windows: dict[str, tuple[float, int]] = {}

    def exceeded(self, address: str, now: float) -> bool:
        began, count = self._windows.get(address, (now, 0))
        return now - began < WINDOW and count >= self._limit

    def record(self, address: str, now: float) -> None:
        began, count = self._windows.pop(address, (now, 0))
        if now - began >= WINDOW:
            began, count = now, 0
        self._windows[address] = (began, count + 1)
        if len(self._windows) > MOST_ADDRESSES:
            del self._windows[next(iter(self._windows))]
