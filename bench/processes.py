"""What a process costs: processor time and memory, read from the kernel."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process and of its children, in seconds with nanosecond resolution.

    /proc/PID/stat counts in ticks of 10 ms, which is too coarse for seconds of a mostly idle server; the clock that
    clock_getcpuclockid(3) names is not.
    """
    return sum(time.clock_gettime((~process) << 3 | 2) for process in _family(pid))


@contextlib.contextmanager
def core_of_its_own(pid: int) -> Iterator[None]:
    """One core for a process, the others for this one and its other children; nothing changes where there is one.

    For a question about one server: beside the programs that ask it, on two cores, the kernel's turns of some
    milliseconds decide what a burst of work does to the rest.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        yield
        return
    server = _family(pid)
    _pin(server, cores[:1])
    _pin(set(_family(os.getpid())) - set(server), cores[1:])
    try:
        yield
    finally:
        _pin(_family(os.getpid()), cores)


def _pin(processes: Iterable[int], cores: Iterable[int]) -> None:
    for process in processes:
        # A thread, or a process, may have ended meanwhile.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for thread in Path(f"/proc/{process}/task").iterdir():
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(thread.name), cores)


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and its children."""
    return sum(_resident(process) for process in _family(pid))


def _family(pid: int) -> list[int]:
    """With the children of its first thread and theirs, but for those that end while they are asked."""
    family = [pid]
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            family += _family(int(child))
    return family


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)
