"""Spread work over the turns of the event loop, so that a crowd does not hold up everything else."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """Runs at most ``most`` calls in one turn of the event loop, in the order in which they were given."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int) -> None:
        self._loop = loop
        self._most = most
        self._left = most
        self._waiting: deque[Callable[[], None]] = deque()

    def run(self, call: Callable[[], None]) -> None:
        """Call ``call`` at once, or in a later turn if others wait or this turn has had its share."""
        if self._left == self._most:
            self._loop.call_soon(self._next_turn)
        if self._left:
            self._left -= 1
            call()
        else:
            self._waiting.append(call)

    def _next_turn(self) -> None:
        self._left = self._most
        if self._waiting:
            self._loop.call_soon(self._next_turn)
        while self._waiting and self._left:
            self._left -= 1
            self._waiting.popleft()()
