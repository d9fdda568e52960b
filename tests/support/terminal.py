"""Programs at a terminal: their output, and the input of a user."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
from collections.abc import Iterator, Mapping

from tests.support.eventually import eventually


class Terminal:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.text = ""

    def type(self, line: str) -> None:
        os.write(self._descriptor, f"{line}\r".encode())

    def wait_for(self, text: str) -> None:
        def shown() -> bool:
            assert text in self._read(), self.text[-1000:]
            return True

        eventually(shown, message=f"{text} on the terminal")

    def _read(self) -> str:
        """Return the terminal's text, without the codes for cursor and colour."""
        # BlockingIOError: there is no output at the moment. EIO: the program has ended.
        with contextlib.suppress(OSError):
            while data := os.read(self._descriptor, 65536):
                self.text += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode(errors="replace"))
        return self.text


@contextlib.contextmanager
def terminal(arguments: list[str], environment: Mapping[str, str] | None = None) -> Iterator[Terminal]:
    """Run a program at a new terminal, with `environment` or that of this process."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    child = subprocess.Popen(
        arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    try:
        yield Terminal(ours)
    finally:
        child.kill()
        child.wait(10)
        os.close(ours)
