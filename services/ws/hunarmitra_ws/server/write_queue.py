"""Writes what lanes hold, a slice of sockets at a time.

Handing an event to a group only appends to lanes; the writing happens here, at most :data:`SLICE` sockets before
the event loop serves others, so that a group of thousands delays nobody else. Events that come for one socket in
the meantime leave in one write.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

SLICE: Final = 128
"""Sockets written to before other work: under a millisecond at some 6 µs a write."""


class Flushable(Protocol):
    def flush(self) -> None: ...


class WriteQueue:
    """``written`` counts all lanes that were written; ``on_slice`` is called when it has grown."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_slice: Callable[[], None] = lambda: None) -> None:
        self._loop = loop
        self._on_slice = on_slice
        self.written = 0
        self._waiting: deque[Flushable] = deque()
        self._scheduled = False

    def add(self, lanes: Flushable) -> None:
        self._waiting.append(lanes)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._write)

    @property
    def end(self) -> int:
        """What ``written`` will be once all that waits now is written."""
        return self.written + len(self._waiting)

    def _write(self) -> None:
        waiting = self._waiting
        slice_size = min(len(waiting), SLICE)
        for _ in range(slice_size):
            waiting.popleft().flush()
        self.written += slice_size
        self._on_slice()
        if waiting:
            self._loop.call_soon(self._write)
        else:
            self._scheduled = False
