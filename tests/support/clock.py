"""A clock that stands still while the machine does.

On a busy or a virtual machine everything stops now and then, for a second or more, and nobody who is measured is to
blame. So what a test awaits, and what it measures, is timed by a clock that goes on by one tick at most for each time
that a thread which does nothing but sleep for a tick gets to run. On an idle machine it is the ordinary clock.
"""

from __future__ import annotations

import threading

# By name: tests replace `time.sleep`, and this clock is not meant.
from time import monotonic, sleep

TICK = 0.01


class Clock:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shown = 0.0
        self._ticked = monotonic()
        self._thread: threading.Thread | None = None

    def now(self) -> float:
        """Seconds since some moment."""
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
                # Waking up takes a little longer than what was asked for, on any machine.
                passed = now - self._ticked
                self._shown += passed if passed < 2 * TICK else TICK
                self._ticked = now


_clock = Clock()


def steady() -> float:
    """Now, in seconds; only differences mean anything."""
    return _clock.now()
