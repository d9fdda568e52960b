"""The processes of clients, as the test sees them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.support.surroundings import REPOSITORY, clean_environment


class ClientProcess:
    """One process of `clients`; `figures` is the newest line that it printed."""

    def __init__(self, directory: Path, **order: Any) -> None:
        self.name: str = order["name"]
        self._report = directory / f"{self.name}.json"
        self.log = directory / f"{self.name}.log"
        self.figures: dict[str, int] = {"watching": 0, "live": 0, "rounds": 0, "acknowledged": 0, "locations": 0}
        self.stopped = threading.Event()
        environment = clean_environment({"PYTHONPATH": str(REPOSITORY)})
        with self.log.open("ab") as errors:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.chaos.clients"],
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.order(**order, report=str(self._report))
        self._reader = threading.Thread(target=self._read, name=self.name, daemon=True)
        self._reader.start()

    def order(self, **words: Any) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(words) + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            raise AssertionError(self.end_of_log()) from None

    @property
    def has_ended(self) -> bool:
        return self._child.poll() is not None

    def end_of_log(self) -> str:
        return f"the log of {self.name}:\n{self.log.read_text()[-3000:]}"

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            said = json.loads(line)
            if "stopped" in said:
                self.stopped.set()
            else:
                self.figures = said

    def report(self, timeout: float) -> Any:
        """Wait for the report after `stop`; return it."""
        assert self.stopped.wait(timeout), self.end_of_log()
        return json.loads(self._report.read_text())

    def close(self) -> None:
        """End the process, if it has not ended."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._reader.join(10)
        if self._child.stdout is not None:
            self._child.stdout.close()
