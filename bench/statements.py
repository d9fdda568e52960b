"""Counts the statements that PostgreSQL executes, by its log."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

from tests.support.postgres import PostgresServer

_STATEMENT = re.compile(r"^[^\t].* LOG:  (?:statement|execute [^:]*): ", re.MULTILINE)
"""PostgreSQL begins the further lines of a statement with a tab."""


def count_statements(log: str) -> int:
    return len(_STATEMENT.findall(log))


@contextlib.contextmanager
def logged_statements(postgres: PostgresServer) -> Iterator[Callable[[], int]]:
    """Log every statement meanwhile; yield a function that returns how many there were so far, of all databases.

    Logging costs processor time, so measure that at another time.
    """
    postgres.configure("log_statement", "all")
    path = postgres.process.log_path
    begin = path.stat().st_size
    try:
        yield lambda: count_statements(path.read_bytes()[begin:].decode(errors="replace"))
    finally:
        postgres.configure("log_statement", "none")
