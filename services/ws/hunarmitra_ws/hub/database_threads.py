"""Runs database reads off the event loop, in threads of our own.

``database_sync_to_async`` shares one thread among everything in the process (asgiref's thread-sensitive
executor), so that one slow query delays every socket; 0.5 s were measured. Joins have a few threads here, and
the hub's catch-up one that nothing else can occupy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection

_P = ParamSpec("_P")
_T = TypeVar("_T")


class DatabaseThreads:
    """Each thread keeps its connection: to take one from the pool for each read costs more than the read."""

    def __init__(self, name: str, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"database-{name}")

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Raises what ``function`` raises. It may run twice, when the connection turns out to be a dead one."""
        call = partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, _call, call)

    def stop(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _call(function: Callable[[], _T]) -> _T:
    reused = connection.connection is not None
    try:
        return function()
    except (OperationalError, InterfaceError):
        connection.close()
        if not reused:
            raise
        # The server went away since the last read, and may be back.
        return _call(function)
