"""Limits failed handshakes by address, so that guessing tokens costs the server little."""

from __future__ import annotations

from typing import Final

MOST_ADDRESSES: Final = 10_000
"""Addresses remembered at once; the oldest are forgotten first, so that a flood cannot fill the memory."""

WINDOW: Final = 60.0


class FailedHandshakes:
    """Counts in a fixed window of one minute for each address. Times are monotonic seconds, given by the caller."""

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
