"""Runs a command and starts it anew whenever a source under /app changes: `reload.py COMMAND…`. For development."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

SOURCES = Path("/app")
PAUSE = 0.5
"""Seconds between two looks."""


def stamp() -> frozenset[tuple[Path, int]]:
    return frozenset((path, path.stat().st_mtime_ns) for path in SOURCES.rglob("*.py"))


def stop(child: subprocess.Popen[bytes]) -> None:
    """The ws server drains after the first SIGTERM, and ends at once after a second."""
    child.terminate()
    try:
        child.wait(PAUSE)
    except subprocess.TimeoutExpired:
        child.terminate()
        child.wait()


def main(command: list[str]) -> int:
    child = subprocess.Popen(command)  # noqa: S603
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    seen = stamp()
    try:
        while True:
            time.sleep(PAUSE)
            now = stamp()
            if now == seen:
                continue
            seen = now
            print("reload: the sources changed", flush=True)  # noqa: T201 - a command
            stop(child)
            child = subprocess.Popen(command)  # noqa: S603
    finally:
        stop(child)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
