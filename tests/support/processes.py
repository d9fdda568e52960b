"""Servers as child processes that a test can kill, stop and start again."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support import forks
from tests.support.clock import steady
from tests.support.eventually import HANG
from tests.support.surroundings import REPOSITORY, clean_environment

_running: set[Process] = set()


class ProcessFailedError(AssertionError):
    """A server ended unexpectedly; the message has the end of its log."""


class Process:
    """A command in a new process group, with its output in `log_path`.

    As a context manager it runs inside the block, and the whole group has ended after it. After each start `ready` is
    polled until it returns True.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log_path: Path,
        environment: Mapping[str, str] | None = None,
        cwd: Path = REPOSITORY,
        user: int | None = None,
        group: int | None = None,
        ready: Callable[[], bool] = lambda: True,
        ready_timeout: float = HANG,
    ) -> None:
        self.command = [str(part) for part in command]
        self.log_path = log_path
        self.environment = clean_environment(environment)
        self.cwd = cwd
        self.ready = ready
        self.ready_timeout = ready_timeout
        self._user, self._group = user, group
        self._child: forks.Fork | subprocess.Popen[Any] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def name(self) -> str:
        return self.log_path.stem

    @property
    def pid(self) -> int:
        assert self._child is not None, f"{self.name} was never started"
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self) -> Self:
        """Start, and wait until it is ready. Raises ProcessFailedError."""
        self.launch()
        self.wait_ready()
        return self

    def launch(self) -> None:
        """Start without waiting."""
        assert not self.alive, f"{self.name} is running already"
        with self.log_path.open("ab") as log, Path(os.devnull).open("rb") as nothing:
            if self._may_be_a_fork:
                streams = (nothing.fileno(), log.fileno(), log.fileno())
                self._child = forks.start(self.command[1:], self.environment, streams)
            else:
                self._child = subprocess.Popen(
                    self.command,
                    cwd=self.cwd,
                    env=self.environment,
                    stdin=nothing,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    user=self._user,
                    group=self._group,
                    extra_groups=None if self._user is None else [],
                )
        _running.add(self)

    @property
    def _may_be_a_fork(self) -> bool:
        """Whether a fork does the same. Not in a benchmark: the memory of a fork is partly its parent's."""
        plain = self.command[0] == sys.executable and self.cwd == REPOSITORY and self._user is None
        return plain and "PYTEST_VERSION" in os.environ

    def wait_ready(self) -> None:
        deadline = steady() + self.ready_timeout
        while True:
            if not self.alive:
                raise ProcessFailedError(self._report(f"ended with code {self.returncode}, never ready"))
            if self.ready():
                return
            if steady() > deadline:
                raise ProcessFailedError(self._report(f"was not ready within {self.ready_timeout:g} s"))
            time.sleep(0.03)

    @property
    def returncode(self) -> int | None:
        return None if self._child is None else self._child.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the first process of the group only, as an orchestrator does."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the whole group with SIGKILL, without any cleanup; once, because another group may get its number."""
        if self._child is None or self not in _running:
            return
        self.signal(signal.SIGKILL)  # a fork that has just begun has no group yet
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait(timeout=HANG)
        _running.discard(self)

    def pause(self) -> None:
        """Stop the group with SIGSTOP: it keeps its connections, but does not answer."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.killpg(self.pid, signal.SIGCONT)

    def wait(self, timeout: float = HANG) -> int:
        """Wait until it ends by itself; return the exit code."""
        assert self._child is not None, f"{self.name} was never started"
        return self._child.wait(timeout=timeout)

    def terminate(self, timeout: float = HANG) -> int:
        """Send SIGTERM, wait, and return the exit code. Raises ProcessFailedError if it does not end in time."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ProcessFailedError(self._report(f"did not end within {timeout:g} s of SIGTERM")) from None

    def stop(self) -> None:
        """Stop it at the end of a test: SIGTERM first (coverage is written at exit), then SIGKILL. Never raises."""
        if self.alive:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.wait(20)
        self.kill()

    def restart(self) -> Self:
        """Kill it and start it again on the same ports."""
        self.kill()
        return self.start()

    def log_text(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def _report(self, what: str) -> str:
        tail = "\n".join(self.log_text().splitlines()[-40:]) or "(its log is empty)"
        return f"{self.name} {what}: {' '.join(self.command)}\n{tail}"


def kill_all() -> None:
    """Kill all processes that still run; also called when this process exits."""
    for process in list(_running):
        process.kill()


atexit.register(kill_all)
