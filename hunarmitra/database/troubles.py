"""Which database errors mean that the database is unavailable: the one place that decides it, by SQLSTATE.

REST, the path in front of Django, ws processes, the relay and management commands ask :func:`trouble_of`. The codes are
PostgreSQL's (appendix A of its manual). Errors without a code come from the driver: a lost connection, or no free
connection in the pool.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final

import psycopg
from django.db import InterfaceError, OperationalError


class Trouble(Enum):
    """Why the database did not do what it was asked, where the request is not to blame."""

    CONFLICT = "conflict"
    """Another transaction was in the way; the same transaction may succeed when it is repeated."""
    READ_ONLY = "read-only"
    """The server takes no writes: it is a standby, or the old primary after a failover."""
    LOST = "lost"
    """The connection is lost, and other connections to the same server probably are."""
    BUSY = "busy"
    """The server has no room or no time for this statement; the connection is still good."""


_BY_CODE: Final[Mapping[str, Trouble | None]] = {
    "25006": Trouble.READ_ONLY,  # read_only_sql_transaction
    "25P03": Trouble.LOST,  # idle_in_transaction_session_timeout: the server closed the connection
    "25P04": Trouble.LOST,  # transaction_timeout: the same
    "40001": Trouble.CONFLICT,  # serialization_failure
    "40P01": Trouble.CONFLICT,  # deadlock_detected
    "40002": None,  # transaction_integrity_constraint_violation
    "55006": Trouble.BUSY,  # object_in_use
    "55P03": Trouble.BUSY,  # lock_not_available
    "57014": Trouble.BUSY,  # query_canceled, by statement_timeout or an administrator
}
_BY_CLASS: Final[Mapping[str, Trouble]] = {
    "08": Trouble.LOST,  # connection exceptions
    "28": Trouble.LOST,  # invalid authorization: a changed password
    "40": Trouble.BUSY,  # transaction rollback, its outcome unknown
    "53": Trouble.BUSY,  # insufficient resources: connections, memory, disk
    "57": Trouble.LOST,  # operator intervention: shutdown, crash, still starting
    "58": Trouble.BUSY,  # system errors, such as input and output
}
_OF_SQLITE: Final[Mapping[str, Trouble | None]] = {
    "SQLITE_ERROR": None,  # a wrong statement
    "SQLITE_READONLY": Trouble.READ_ONLY,
    "SQLITE_BUSY": Trouble.BUSY,
    "SQLITE_LOCKED": Trouble.BUSY,
}

_WITHOUT_CODE: Final = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
"""Classes that mean a lost connection, or none, where the server sent no code."""


def trouble_of(error: BaseException) -> Trouble | None:
    """Return why the database is unavailable, or None if the error is a defect of the statement or no database error.

    ``error`` is Django's or the driver's.
    """
    code = sqlstate_of(error)
    if code is not None:
        return _BY_CODE[code] if code in _BY_CODE else _BY_CLASS.get(code[:2])
    if not isinstance(error, _WITHOUT_CODE):
        return None
    for each in _chain(error):
        if name := getattr(each, "sqlite_errorname", None):
            return _OF_SQLITE.get(name, Trouble.BUSY)
    return Trouble.LOST


def is_unavailable(error: BaseException) -> bool:
    """Whether the client should try again later: 503 over REST, ``unavailable`` over a connection."""
    return trouble_of(error) is not None


def sqlstate_of(error: BaseException) -> str | None:
    """Return PostgreSQL's five characters, None for an error of the driver or of SQLite."""
    return next((code for each in _chain(error) if (code := getattr(each, "sqlstate", None))), None)


def describe(error: BaseException) -> str:
    """Return type and code for a log line, as ``InternalError 25006``; the error's text may quote data."""
    code = sqlstate_of(error)
    return type(error).__name__ if code is None else f"{type(error).__name__} {code}"


def log_failure(logger: logging.Logger, what: str, error: BaseException) -> None:
    """Log that ``what`` failed: in one line while the database is unavailable, with a traceback for a defect."""
    if isinstance(error, TimeoutError) or is_unavailable(error):
        logger.warning("%s, the database is unavailable: %s", what, describe(error))
    else:
        logger.error("%s: %s", what, describe(error), exc_info=error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield Django's error, then the driver's error that caused it."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__
