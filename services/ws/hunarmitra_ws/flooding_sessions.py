"""Sessions whose client sent too many frames, and for how long their new connections are refused.

A client that floods is closed with 4029. If it reconnects at once, each cycle costs a join, with its queries. A refused
connection costs only the check of its token.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Final
from uuid import UUID

from django.conf import settings

logger = logging.getLogger(__name__)

MOST_SESSIONS: Final = 10_000
"""The most sessions that are remembered. The one that flooded first is forgotten first, so memory stays bounded."""


class FloodingSessions:
    """Remembers sessions for ``wait`` seconds; 0 remembers none. The caller gives times in monotonic seconds."""

    def __init__(self, wait: float) -> None:
        self._wait = wait
        self._until: dict[UUID, float] = {}

    def record(self, session_id: UUID, now: float) -> None:
        """Refuse the session from now on."""
        if not self._wait:
            return
        if self._until.pop(session_id, now) <= now:
            logger.warning("session %s sent too many frames: refused for %g s", session_id, self._wait)
        self._until[session_id] = now + self._wait
        if len(self._until) > MOST_SESSIONS:
            del self._until[next(iter(self._until))]

    def remaining(self, session_id: UUID, now: float) -> float:
        """Return for how many seconds the session is still refused; 0 if it may connect."""
        until = self._until.get(session_id)
        if until is None:
            return 0.0
        if until <= now:
            del self._until[session_id]
            return 0.0
        return until - now


@lru_cache(maxsize=1)
def flooding_sessions() -> FloodingSessions:
    """Return this process's."""
    return FloodingSessions(settings.ENVIRONMENT.ws_flood_wait)
