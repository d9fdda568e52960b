"""The Go program that plays the clients and the publishers (``go/loadgen``), driven by one JSON line a command."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.surroundings import REPOSITORY, clean_environment


class GeneratorFailedError(RuntimeError):
    """The load generator ended, or did not understand; its message is in the text."""


class LoadGenerator:
    """One process. Thread-safe: commands of two threads go one after the other."""

    def __init__(self, program: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(environment),
            cwd=REPOSITORY,
        )
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def call(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Raises :class:`GeneratorFailedError`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps({"do": command, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise GeneratorFailedError(f"the load generator ended at {command!r}")
        answer: dict[str, Any] = json.loads(line)
        if answer.get("error"):
            raise GeneratorFailedError(f"{command}: {answer['error']}")
        return answer

    def connect(
        self,
        protocol: str,
        addresses: Sequence[str],
        sockets: Sequence[Mapping[str, Any]],
        *,
        in_flight: int = 50,
        timeout: float = 120,
        resume: bool = False,
        complete: bool = False,
    ) -> dict[str, Any]:
        """Open sockets, at most ``in_flight`` at once (0: all together). With ``resume`` they come back when closed.

        With ``complete`` it also waits until each has the events that it missed.
        """
        return self.call(
            "connect",
            protocol=protocol,
            addresses=list(addresses),
            sockets=[dict(socket) for socket in sockets],
            in_flight=in_flight,
            timeout=timeout,
            resume=resume,
            complete=complete,
        )

    def publish(self, seconds: float, *, settle: float = 20, **arguments: Any) -> dict[str, Any]:
        """Publish for so long, wait until everything has arrived (at most ``settle`` seconds), and report."""
        self.call("publish", **arguments)
        time.sleep(seconds)
        return self.call("finish", settle=settle)
