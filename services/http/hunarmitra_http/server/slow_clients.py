"""Tell operators about slow clients: metrics, and at most one log line a minute."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from hunarmitra.config.environment import Environment
from hunarmitra_http import metrics
from hunarmitra_http.server.connection import Phase
from hunarmitra_http.server.limits import FULL, REASONS

logger = logging.getLogger(__name__)

LOG_SECONDS: Final = 60.0
"""Between two log lines."""
SHOW_SECONDS: Final = 1.0
"""Between two updates of the gauge, and the least time that a log line waits for more of its kind."""

SILENT: Final = REASONS[Phase.NEW]
"""Counted and not logged: browsers and proxies open connections in advance."""


class SlowClients:
    """Those of one process. Callable from any thread."""

    def __init__(self, environment: Environment, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._texts = {
            REASONS[Phase.HEADER]: f"sent no complete header in {environment.http_header_timeout:g} s",
            REASONS[Phase.BODY]: f"sent no complete body in {environment.http_body_timeout:g} s",
            REASONS[Phase.SENDING]: f"did not read the response in {environment.http_send_timeout:g} s",
            FULL: "made room at HTTP_MAX_CONNECTIONS or HTTP_SEND_BUFFER_BYTES",
        }
        self._lock = threading.Lock()
        self._unlogged: Counter[str] = Counter()
        self._last: Any = None
        self._log_at = float("-inf")
        self._shown_at = float("-inf")

    def cut(self, reason: str, client: Any) -> None:
        """Count a connection that was cut off, for the metric and for the next log line."""
        metrics.connection_cut(reason)
        if reason == SILENT:
            return
        with self._lock:
            if not self._unlogged:
                self._log_at = max(self._log_at, self._clock() + SHOW_SECONDS)
            self._unlogged[reason] += 1
            self._last = client

    def show(self, counts: Callable[[], Mapping[Phase, int]], threads: int) -> None:
        """Update the gauge and write the log line, if it is time. Called at each turn of the server's loop."""
        now = self._clock()
        if now - self._shown_at < SHOW_SECONDS:
            return
        self._shown_at = now
        metrics.connections(states(counts(), threads))
        self._log()

    def _log(self) -> None:
        with self._lock:
            now = self._clock()
            if not self._unlogged or now < self._log_at:
                return
            self._log_at = now + LOG_SECONDS
            counts, last = dict(self._unlogged), self._last
            self._unlogged.clear()
        logger.warning(
            "slow clients: %d connections cut off: %s; the last from %s",
            sum(counts.values()),
            ", ".join(f"{count} {self._texts[reason]}" for reason, count in counts.items()),
            last[0] if isinstance(last, tuple) else last or "a local socket",
        )


def states(counts: Mapping[Phase, int], threads: int) -> Mapping[str, int]:
    """Return the values of the gauge; ``threads`` of the complete requests are served, and the others wait."""
    complete = counts[Phase.SERVING]
    return {
        "idle": counts[Phase.NEW] + counts[Phase.IDLE],
        "receiving": counts[Phase.HEADER] + counts[Phase.BODY],
        "waiting": max(0, complete - threads),
        "serving": min(complete, threads),
        "sending": counts[Phase.SENDING] + counts[Phase.LINGERING],
    }
