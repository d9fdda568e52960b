"""An ordinary process of a stack (a management command, a cron job) that calls functions for a test.

It keeps running, because starting Django takes longer than some of the times that tests measure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tests.support import remote
from tests.support.eventually import HANG
from tests.support.processes import REPOSITORY, clean_environment
from tests.support.stack import Stack


class Shell:
    """A process for `call`. `variables` replace or extend the stack's environment: `Shell(stack, SERVICES="http")`."""

    def __init__(self, stack: Stack, **variables: str) -> None:
        with (stack.directory / "shell.log").open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "tests.support.shell_server"],
                cwd=REPOSITORY,
                env=clean_environment({**stack.environment, **variables}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, function: Callable[..., Any], **arguments: Any) -> Any:
        """Call a function of the project or of the tests there; see `tests.support.remote`. Return its result.

        Raises AssertionError with the traceback of a failed function.
        """
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(remote.request(function, arguments), default=str) + "\n")
        self._child.stdin.flush()
        return self._read()

    def close(self) -> None:
        self._child.communicate(timeout=HANG)

    def _read(self) -> Any:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        assert line, f"the shell ended with {self._child.wait(HANG)}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["result"]
