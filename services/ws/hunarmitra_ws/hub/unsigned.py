"""Messages that no process of this installation has signed: a version that does not sign yet, another key, a forgery.

Nothing in such a message is believed. It is only a reason to read its channel from the database. So a forged message
shows nothing, and a real one of an older version is not lost. At most one read for each :data:`INTERVAL` follows from
them, however many arrive.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container
from typing import Final

from hunarmitra.protocol import channels
from hunarmitra_ws.metrics import metrics

logger = logging.getLogger(__name__)

INTERVAL: Final = 1.0
"""Seconds between two reads."""

LOG_INTERVAL: Final = 60.0
"""Seconds between two lines in the log."""


class UnsignedMessages:
    """``watched`` has the channels of this process; ``recover`` reads one of them, ``check`` the revocations."""

    def __init__(self, watched: Container[str], recover: Callable[[str, str], None], check: Callable[[], None]) -> None:
        self._watched = watched
        self._recover = recover
        self._check = check
        self._names: dict[str, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._count = 0
        self._logged_at = float("-inf")

    def received(self, channel_name: str) -> None:
        """Read the channel of an unsigned message now, or at the next interval."""
        metrics.messages_unsigned.inc()
        self._count += 1
        if channel_name == channels.CONTROL or channel_name in self._watched:
            self._names[channel_name] = None
        if self._timer is None:
            self._read(asyncio.get_running_loop())

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        self._log(loop.time())
        names, self._names = self._names, {}
        for name in names:
            if name == channels.CONTROL:
                self._check()
            else:
                self._recover(name, "unsigned")
        self._timer = loop.call_later(INTERVAL, self._rest, loop)

    def _rest(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._names:
            self._read(loop)

    def _log(self, now: float) -> None:
        if self._count and now - self._logged_at >= LOG_INTERVAL:
            logger.warning(
                "%d messages on Redis are not signed by this installation; the database was read instead. Do all "
                "processes have the same version and the same MESSAGE_KEYS (or SECRET_KEY and JWT_KEYS, from which "
                "they are derived)? Otherwise, who else may publish on Redis?",
                self._count,
            )
            self._logged_at, self._count = now, 0
