"""Make a server process stop, fail or die at a named checkpoint.

The test and the processes share a folder. A test arms a point by creating a file. The first process that reaches the
point takes the order by renaming that file. So exactly one process takes it, and the test sees that the point was
reached. A paused process continues when a third file appears.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from hunarmitra.common import checkpoints
from tests.support.eventually import HANG, eventually, eventually_async

Action = Literal["pause", "kill", "raise"]

JOIN_POINTS = (
    "accepted, not registered",
    "registered, not subscribed",
    "subscribed, not read",
    "session read, not its booking",
    "booking read, not its log",
    "read, not live",
)
"""The checkpoints of a connection that joins a booking, in order."""

POINTS = (
    *JOIN_POINTS,
    "user read, not the notifications",
    "registered, session not read",
    "watch registered, role not read",
    "reidentified, not checked",
    "committed, not published",
    "published, not marked",
    "gathered, not stored",
    "stored, not published",
    "locked, not relayed",
    "refresh read, not locked",
    "refresh exchanged, not committed",
    "refresh committed, not answered",
)
"""All checkpoints of the code."""

INTERVAL = 0.005
"""Seconds between two checks of a paused process."""


class Fault:
    """One order. The first process that reaches `point` takes it."""

    def __init__(self, directory: Path, point: str, number: int) -> None:
        self.point = point
        name = f"{_slug(point)}.{number:04}"
        self._armed = directory / "armed" / name
        self._taken = directory / "taken" / name
        self._released = directory / "released" / name

    def arm(self, action: Action) -> None:
        unseen = self._taken.with_name(f".{self._taken.name}")
        unseen.write_text(action)
        unseen.rename(self._armed)

    @property
    def reached(self) -> bool:
        return self._taken.exists()

    def wait_reached(self, timeout: float = HANG) -> None:
        eventually(lambda: self.reached, timeout, f"a process at “{self.point}”")

    async def reached_by_one(self, timeout: float = HANG) -> None:
        await eventually_async(lambda: self.reached, timeout, f"a process at “{self.point}”")

    def release(self) -> None:
        """Continue the paused process. If no process has reached the point yet, none will stop there."""
        self._released.touch()
        self._armed.unlink(missing_ok=True)


class Faults:
    """The orders of a test. `environment` is for the processes that carry them out."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count()
        self._given: list[Fault] = []
        for name in ("armed", "taken", "released"):
            (directory / name).mkdir(parents=True)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "tests.support.settings_faults",
            "FAULTS_DIRECTORY": str(self._directory),
        }

    def arm(self, point: str, action: Action = "pause") -> Fault:
        """Arm a point. If a point has several orders, each process that reaches it takes one, in order."""
        assert point in POINTS, f"no checkpoint is called “{point}”"
        fault = Fault(self._directory, point, next(self._numbers))
        self._given.append(fault)
        fault.arm(action)
        return fault

    def release_all(self) -> None:
        for fault in self._given:
            fault.release()
        self._given.clear()


def obey(directory: Path) -> None:
    """Carry out the orders in `directory` from now on, in a server process."""
    for point in POINTS:
        checkpoints.register(point, partial(_reach, directory, point))
        checkpoints.register_async(point, partial(_reach_async, directory, point))


def _reach(directory: Path, point: str) -> None:
    if go_on := _take(directory, point):
        while not go_on():
            time.sleep(INTERVAL)


async def _reach_async(directory: Path, point: str) -> None:
    if go_on := _take(directory, point):
        while not go_on():  # noqa: ASYNC110 - the event comes from another process
            await asyncio.sleep(INTERVAL)


def _take(directory: Path, point: str) -> Callable[[], bool] | None:
    """Take an order for `point`, if there is one. For a pause, return a function that says whether it is over."""
    for armed in sorted((directory / "armed").glob(f"{_slug(point)}.*")):
        taken = directory / "taken" / armed.name
        try:
            armed.rename(taken)
        except FileNotFoundError:
            continue
        action = taken.read_text()
        if action == "kill":
            os.killpg(os.getpgid(0), signal.SIGKILL)
        if action == "raise":
            raise RuntimeError(f"the test wants a failure at “{point}”")
        return (directory / "released" / armed.name).exists
    return None


def _slug(point: str) -> str:
    return point.replace(", ", "--").replace(" ", "-")
