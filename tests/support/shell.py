"""An ordinary process of a stack (a management command, a cron job) that calls functions for a test.

It keeps running, because starting Django takes longer than some of the times that tests measure.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from types import TracebackType
from typing import IO, Any, Self

from tests.support import forks, remote
from tests.support.eventually import HANG
from tests.support.stack import SETTINGS, Stack


class Shell:
    """A process for `call`. `variables` replace or extend the stack's environment: `Shell(stack, SERVICES="http")`.

    It does not carry out a test's `Faults`.
    """

    def __init__(self, stack: Stack, **variables: str) -> None:
        given, requests = os.pipe()
        answers, answered = os.pipe()
        with (stack.directory / "shell.log").open("ab") as log:
            self._child = forks.start(
                ["-m", "tests.support.shell_server"],
                {**stack.environment, "DJANGO_SETTINGS_MODULE": SETTINGS, **variables},
                (given, answered, log.fileno()),
            )
        os.close(given)
        os.close(answered)
        self._requests: IO[str] = os.fdopen(requests, "w", buffering=1)
        self._answers: IO[str] = os.fdopen(answers)
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
        self._requests.write(json.dumps(remote.request(function, arguments), default=str) + "\n")
        return self._read()

    def close(self) -> None:
        self._requests.close()
        self._child.wait(HANG)
        self._answers.close()

    def _read(self) -> Any:
        line = self._answers.readline()
        assert line, f"the shell ended with {self._child.wait(HANG)}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["result"]
