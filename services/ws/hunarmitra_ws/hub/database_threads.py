"""Run database reads outside the event loop, in dedicated threads.

``database_sync_to_async`` shares one thread among everything in the process (asgiref's thread-sensitive executor), so
one slow query delays every connection; a delay of 0.5 s was measured. Connections have a few threads here, and the
hub's recovery and revocations have one that no connection can occupy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import Error as DatabaseError
from django.db import connection

from hunarmitra.database.connections import renew_kept_connection
from hunarmitra.database.troubles import is_unavailable

_P = ParamSpec("_P")
_T = TypeVar("_T")


class DatabaseThreads:
    """Threads that keep their database connections for a few seconds: taking one from the pool costs more than a read.

    A connection of the pool proves that its server is the primary, so a demoted server is left within these seconds.
    """

    def __init__(self, name: str, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"database-{name}")

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run ``function`` in a thread, and again if the database connection had been closed since the last read.

        Raises every exception of ``function``.
        """
        call = partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, _call, call)

    def stop(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _call(function: Callable[[], _T]) -> _T:
    renew_kept_connection()
    reused = connection.connection is not None
    try:
        return function()
    except DatabaseError as error:
        connection.close()
        if not reused or not is_unavailable(error):
            raise
        # The server closed the connection since the last read, or became read-only; another may be available.
        return _call(function)
