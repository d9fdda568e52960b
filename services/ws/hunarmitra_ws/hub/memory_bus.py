"""Event delivery within one process, where no Redis is configured: the same path, without the network."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence

from hunarmitra.protocol.messages import Message

Listener = Callable[[Sequence[Message]], None]


class MemoryBus:
    """Hands messages from whatever thread publishes to the event loops that listen."""

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
            # A loop that is closed has nobody left who listens.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(listener, messages)


memory_bus = MemoryBus()
"""This process's bus."""
