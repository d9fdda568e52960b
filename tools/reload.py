"""Run a server, and start it again when a source file changes: `python -m tools.reload COMMAND…`.

`make dev` runs it. It compares the files' modification times, which works on every file system. While a file has a
syntax error, the running server continues. A server that ended by itself is started again after the next change.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDERS: Final = ("hunarmitra", "services", "clients/js/src")
FILES: Final = (".env", "manage.py")
SUFFIXES: Final = frozenset({".css", ".html", ".js", ".json", ".py", ".svg"})
INTERVAL: Final = 0.15
"""Seconds between two checks of the files. A check of about 400 files takes a few milliseconds."""
PATIENCE: Final = 3.0
"""Seconds after which a server that does not end is killed."""

Times = Mapping[Path, int]


def watched(root: Path = ROOT) -> Iterator[Path]:
    """Yield the files whose change restarts the server."""
    for folder in FOLDERS:
        for directory, folders, names in os.walk(root / folder):
            folders[:] = [name for name in folders if name != "__pycache__"]
            yield from (Path(directory, name) for name in names if Path(name).suffix in SUFFIXES)
    yield from (root / name for name in FILES)


def times(root: Path = ROOT) -> Times:
    """Return the modification time of each watched file that exists."""
    found = {}
    for path in watched(root):
        with contextlib.suppress(OSError):
            found[path] = path.stat().st_mtime_ns
    return found


def changes(before: Times, after: Times) -> list[Path]:
    """Return the files that are new, changed or deleted."""
    return sorted(path for path in {*before, *after} if before.get(path) != after.get(path))


def syntax_errors(paths: Iterable[Path]) -> str:
    """Return Python's messages about files that it cannot compile; empty if there are none."""
    found = []
    for path in paths:
        if path.suffix != ".py" or not path.exists():
            continue
        try:
            compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            found += traceback.format_exception_only(error)
    return "".join(found)


class Reloader:
    """One server process at a time, started by `command` in `root`."""

    def __init__(self, command: Sequence[str], root: Path = ROOT) -> None:
        self._command = list(command)
        self._root = root
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._waiting: set[Path] = set()
        """Changed files that the running server has not read, because one of them has a syntax error."""

    def run(self) -> int:
        """Serve until SIGINT or SIGTERM; return the exit code."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        seen = times(self._root)
        self._start()
        while self._goes_on():
            time.sleep(INTERVAL)
            self._report_end()
            now = times(self._root)
            if changed := changes(seen, now):
                # An editor may still be writing, or a tool may be changing many files.
                while self._goes_on() and (later := self._look_again()) != now:
                    now = later
                changed, seen = changes(seen, now), now
                self._restart(changed)
        self._end()
        return 0

    def _goes_on(self) -> bool:
        return not self._stopped

    def _look_again(self) -> Times:
        time.sleep(INTERVAL / 3)
        return times(self._root)

    def _restart(self, new: Sequence[Path]) -> None:
        self._waiting.update(new)
        changed = sorted(self._waiting)
        names = ", ".join(str(path.relative_to(self._root)) for path in changed[:3])
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        if errors := syntax_errors(changed):
            print(f"{errors}not restarted: {names}{more} cannot be read; the server goes on as it was", flush=True)
            return
        self._waiting.clear()
        print(f"restarting: {names}{more} changed", flush=True)
        self._end()
        if any(path.parent.name == "migrations" for path in changed):
            subprocess.run([sys.executable, "manage.py", "migrate"], cwd=self._root, check=False)
        self._start()

    def _start(self) -> None:
        self._child = subprocess.Popen(self._command, cwd=self._root)

    def _report_end(self) -> None:
        if self._child is not None and (code := self._child.poll()) is not None:
            self._child = None
            print(f"the server ended with code {code}; it starts again when a file changes", flush=True)

    def _end(self) -> None:
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m tools.reload COMMAND…")
    sys.exit(Reloader(sys.argv[1:]).run())
