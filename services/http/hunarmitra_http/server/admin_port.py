"""The admin port of a process: a reception with a thread of its own, which ends after everything else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hunarmitra_http.server.reception import Reception


class AdminPort:
    """Serves probes and metrics until :meth:`end`. ``failed`` is called in its thread."""

    def __init__(self, reception: Reception, failed: Callable[[Exception], None]) -> None:
        self._reception = reception
        self._failed = failed
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="admin port", daemon=True)
        self._thread.start()

    def end(self, deadline: float) -> None:
        """Accept no more connections, and answer what has begun to arrive, at most until the deadline (monotonic).

        Otherwise the kernel would reset the connection of a scrape that arrives while the process ends.
        """
        self._ending.set()
        self._reception.wake()
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                self._reception.run_once()
            self._reception.stop()
            while len(self._reception):
                self._reception.run_once()
        except Exception as error:  # noqa: BLE001 - the process ends, whatever it was
            self._failed(error)
