"""Delivers messages within one process, where no Redis is configured."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence

from hunarmitra.protocol.messages import Message

Listener = Callable[[Sequence[Message]], None]


class MemoryBus:
    """Passes messages from any publishing thread to the listening event loops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[Listener, asyncio.AbstractEventLoop] = {}

    def listen(self, listener: Listener, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._listeners[listener] = loop

    def forget(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.pop(listener, None)

    def publish(self, messages: Sequence[Message]) -> None:
        with self._lock:
            listeners = list(self._listeners.items())
        for listener, loop in listeners:
            # Raised by a closed loop, which has no listener left.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(listener, messages)


memory_bus = MemoryBus()
"""The bus of this process."""
