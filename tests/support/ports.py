"""TCP ports for the servers under test.

A port found by binding to 0 can be taken by an outgoing connection before the server binds it, or between the end of
a server and its restart. So ports are below the kernel's ephemeral range, and this process holds a lock file for each,
so that other test processes of this machine do not use it.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import socket
import tempfile
from pathlib import Path

_FIRST, _LAST = 18000, 31999
_LOCKS = Path(tempfile.gettempdir()) / "hunarmitra-test-ports"
_candidates = itertools.count(os.getpid() * 37)
_held: list[int] = []


def free_port() -> int:
    """Return a free port of 127.0.0.1 that is reserved for this process until it ends."""
    _LOCKS.mkdir(mode=0o777, exist_ok=True)
    for _ in range(_LAST - _FIRST):
        port = _FIRST + next(_candidates) % (_LAST - _FIRST)
        if _lock(port):
            return port
    raise RuntimeError(f"no free port from {_FIRST} to {_LAST}")


def accepts_connections(port: int, host: str = "127.0.0.1", timeout: float = 0.5) -> bool:
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return True
    except OSError:
        return False


def _lock(port: int) -> bool:
    try:
        descriptor = os.open(_LOCKS / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
    except PermissionError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except OSError:
        os.close(descriptor)
        return False
    _held.append(descriptor)
    return True
