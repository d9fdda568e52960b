"""Texts of clients that are logged once each, and only so many of them: a client can invent any number."""

from __future__ import annotations

import threading


class FirstSeen:
    """Remembers the first ``most`` distinct texts. Threads may share it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def add(self, text: str) -> int:
        """Return how many texts were seen if this one is new, else 0. After ``most`` of them no text is new."""
        with self._lock:
            if text in self._seen or len(self._seen) >= self._most:
                return 0
            self._seen.add(text)
            return len(self._seen)
