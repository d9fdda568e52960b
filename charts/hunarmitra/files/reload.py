"""Run a command and restart it whenever a source under /app changes: `reload.py COMMAND…`. For development.

A source with a syntax error is reported and the running command is kept. A command that ends by itself is started again
at the next change. So the pod, with the sources that were copied into it, stays.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SOURCES = Path(os.environ.get("RELOAD_SOURCES", "/app"))
SUFFIXES = {".py", ".html", ".js", ".css", ".svg", ".json"}
PAUSE = 0.5
"""Seconds between two looks."""

Stamps = dict[Path, int]


def say(text: str) -> None:
    print(f"reload: {text}", flush=True)  # noqa: T201 - a command


def stamps() -> Stamps:
    """When each source was changed. A file that vanishes meanwhile is left out."""
    found = {}
    for path in SOURCES.rglob("*"):
        if path.suffix in SUFFIXES:
            try:
                found[path] = path.stat().st_mtime_ns
            except FileNotFoundError:
                continue
    return found


def syntax_error(path: Path) -> str:
    """What is wrong with a Python source, or an empty text."""
    if path.suffix != ".py":
        return ""
    try:
        compile(path.read_bytes(), str(path), "exec")
    except FileNotFoundError:
        return ""
    except (SyntaxError, ValueError) as error:
        return f"{path}:{getattr(error, 'lineno', None) or '?'}: {error.args[0]}"
    return ""


def stop(child: subprocess.Popen[bytes]) -> None:
    """End the command. The ws server drains after the first SIGTERM, and ends at once after a second."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(PAUSE)
    except subprocess.TimeoutExpired:
        child.terminate()
        child.wait()


def main(command: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    child = subprocess.Popen(command)  # noqa: S603
    seen = stamps()
    ended = False
    try:
        while True:
            time.sleep(PAUSE)
            if not ended and (status := child.poll()) is not None:
                ended = True
                say(f"the command ended with {status}; it starts again at the next change")
            now = stamps()
            if now == seen:
                continue
            changed = [path for path in {*now, *seen} if now.get(path) != seen.get(path)]
            seen = now
            errors = [error for path in sorted(changed) if (error := syntax_error(path))]
            for error in errors:
                say(error)
            if errors:
                say("the sources are not loaded until that is corrected")
                continue
            say("the sources changed")
            stop(child)
            child = subprocess.Popen(command)  # noqa: S603
            ended = False
    finally:
        stop(child)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
