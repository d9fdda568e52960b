"""A clock that stops while the machine is stalled.

On a busy or a virtual machine all processes sometimes stall for a second or more, which is not a fault of the measured
code. So tests time their waits and measurements with this clock. A thread sleeps for one tick again and again, and the
clock advances by at most one tick for each sleep. On an idle machine it runs like the ordinary clock.
"""

from __future__ import annotations

import threading

# Imported by name, so that tests that replace `time.sleep` do not affect this clock.
from time import monotonic, sleep

TICK = 0.01


class Clock:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shown = 0.0
        self._ticked = monotonic()
        self._thread: threading.Thread | None = None

    def now(self) -> float:
        """Return the seconds since an arbitrary moment."""
        with self._lock:
            if self._thread is None:
                self._ticked = monotonic()
                self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
                self._thread.start()
            return self._shown + min(TICK, monotonic() - self._ticked)

    def _run(self) -> None:
        while True:
            sleep(TICK)
            with self._lock:
                now = monotonic()
                # On any machine a sleep takes a little longer than requested.
                passed = now - self._ticked
                self._shown += passed if passed < 2 * TICK else TICK
                self._ticked = now


_clock = Clock()


def steady() -> float:
    """Return the time in seconds; only differences have a meaning."""
    return _clock.now()
