"""Adapter for psycopg_pool: the check of a connection that leaves the pool.

Django passes the pool's own check, which only asks whether the connection is alive, and takes no other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import psycopg
from psycopg_pool import ConnectionPool

from hunarmitra.common.private_names import Library, names_of

LIBRARY: Final = Library(
    "psycopg-pool",
    "3.3.3",
    (*names_of("psycopg_pool:ConnectionPool", {"_check": "called with each connection that leaves the pool"}),),
)

Connection = psycopg.Connection[Any]
Pool = ConnectionPool[Connection]


def check_with(pool: Pool, make_check: Callable[[Pool], Callable[[Connection], None]], kind: type) -> None:
    """Let the pool check with ``make_check(pool)``, which is a ``kind``, unless it does already."""
    if not isinstance(pool._check, kind):
        pool._check = make_check(pool)
