"""Queue of a connection's client messages. It has the used part of ``asyncio.Queue``, which would need 3 KB each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

Event = Mapping[str, Any]


class Inbox:
    """A queue for one reader. The server bounds it (``MOST_UNREAD_MESSAGES``), so removing the first item is cheap."""

    __slots__ = ("_events", "_waiting")

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._waiting: asyncio.Future[None] | None = None

    def qsize(self) -> int:
        return len(self._events)

    def put_nowait(self, event: Event) -> None:
        self._events.append(event)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def get(self) -> Event:
        while not self._events:
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return self._events.pop(0)
