"""Runs database reads off the event loop, in threads of our own.

``database_sync_to_async`` shares one thread among everything in the process (asgiref's thread-sensitive
executor), so that one slow query delays every socket; 0.5 s were measured. Joins have a few threads here, and
the hub's catch-up one that nothing else can occupy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connection

_P = ParamSpec("_P")
_T = TypeVar("_T")


class DatabaseThreads:
    def __init__(self, name: str, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"database-{name}")

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Raises what ``function`` raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: _call(lambda: function(*args, **kwargs)))

    def stop(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _call(function: Callable[[], _T]) -> _T:
    close_old_connections()
    try:
        return function()
    finally:
        if connection.vendor == "postgresql":
            # Gives the connection back to psycopg's pool; SQLite's is kept, opening the file costs more.
            connection.close()
