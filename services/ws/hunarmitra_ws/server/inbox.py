"""Queue of a connection's client messages. It has the used part of ``asyncio.Queue``, which would need 3 KB each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

Event = Mapping[str, Any]


class Inbox:
    """A queue for one reader. The server bounds it (``MOST_UNREAD_MESSAGES``), so removing the first item is cheap.

    ``_waiting`` is what the reader waits for.
    """

    __slots__ = ("_events", "_waiting")

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._waiting: asyncio.Future[Event] | None = None

    def qsize(self) -> int:
        return len(self._events)

    def put_nowait(self, event: Event) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(event)
        else:
            self._events.append(event)

    def get(self) -> asyncio.Future[Event]:
        """Return the next event as a future: the frame of a coroutine would stay as long as the connection is idle."""
        event = asyncio.get_running_loop().create_future()
        if self._events:
            event.set_result(self._events.pop(0))
        else:
            self._waiting = event
        return event
