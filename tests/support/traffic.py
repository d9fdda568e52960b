"""Continuous REST calls in a thread, while a test breaks a part; each call is timed, and none may fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tests.support.clock import steady
from tests.support.scene import Scene, positions
from tests.support.sockets import Socket

FIRST_LATITUDE = 10.0
STEP = 0.001


class Traffic:
    """Reassigns each booking from worker to worker, which makes an event, and posts a location of each worker.

    Locations always go north, so that they show their order. `durations` are in seconds.
    """

    def __init__(self, scene: Scene, bookings: Sequence[str], pause: float = 0.02) -> None:
        self._actors = scene.actors
        self._bookings = bookings
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self._latitude = FIRST_LATITUDE
        self._turn = 0
        self.durations: list[float] = []
        self.error: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop after the current call. Raises the exception of a failed call."""
        self._stop.set()
        self._thread.join(60)
        if self.error is not None:
            raise self.error

    def wait_calls(self, count: int) -> None:
        """Wait until that many more calls were answered."""
        target = len(self.durations) + count
        while len(self.durations) < target and self._thread.is_alive():
            time.sleep(0.01)

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._pause):
                self._round()
        except BaseException as error:  # noqa: BLE001 - raised in the test by stop()
            self.error = error

    def _round(self) -> None:
        actors = self._actors
        worker = (actors.other_worker, actors.worker)[self._turn % 2]
        self._turn += 1
        for booking_id in self._bookings:
            self._latitude += STEP
            begun = steady()
            actors.admin.assign(booking_id, worker.id)
            assigned = steady()
            worker.track(booking_id, round(self._latitude, 6), 77.0)
            self.durations += [assigned - begun, steady() - assigned]


def assert_exact(socket: Socket, newest: int) -> None:
    """Check that every event up to `newest` arrived once and in order, and that locations only went north."""
    first = socket.frames[0]["seq"]
    assert socket.seqs() == list(range(first + 1, newest + 1))
    latitudes = [position["lat"] for position in positions(socket.frames)]
    assert latitudes == sorted(set(latitudes)), latitudes
