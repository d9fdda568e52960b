"""Connections to PostgreSQL: which of them are used, and when all of a pool are dropped.

After a failover the connections of a pool lead to the old primary. It is dead, or it lives and is read-only: then it
answers queries, with data that no longer changes. So a connection proves that its server accepts writes whenever it
leaves the pool, in one round trip. A connection that fails the proof is closed, and with it the others of its pool.

A server may also stop answering without closing anything: it hangs, or a proxy in front of it does. TCP does not notice
that, because the kernel of the other side acknowledges every packet. So each wait for an answer has a limit here.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Final

import psycopg
from django.db import OperationalError, connection

from hunarmitra.database.psycopg_pool_adapter import Connection, Pool
from hunarmitra.database.state import Problem, problem_of_connect, state

KEPT_SECONDS: Final = 2.0
"""For how long a thread uses a connection that it keeps without a new proof."""

DROP_SPACING_SECONDS: Final = 1.0
"""Least time between two drops of a pool: a server that stays read-only must not be flooded with connects."""

PROOF_SECONDS: Final = 3.0
"""Most seconds until a connection has proven itself. The pool's own limit is longer, so that it can try a new one."""

WRITABLE: Final = frozenset({"read-write", "primary"})
"""Values of ``target_session_attrs`` that ask for a server that accepts writes."""


class ReadOnlyServerError(psycopg.OperationalError):
    """The server of a pooled connection accepts no writes."""


class _Answers:
    """How long connections of this process wait for one answer; None for no limit."""

    def __init__(self) -> None:
        self.limit: float | None = None


_answers: Final = _Answers()


def limit_answers(seconds: float) -> None:
    """Limit the wait for each answer from now on. For processes that serve; a migration may take longer."""
    _answers.limit = seconds


class ReportingConnection(psycopg.Connection[Any]):
    """A connection of the pool. A failed connect tells the process's state why, and so does a missing answer."""

    proof_limit: float | None = None
    """Limit of one answer, if it is not the process's."""

    @classmethod
    def connect(cls, conninfo: str = "", **parameters: Any) -> Any:
        try:
            return super().connect(conninfo, **parameters)
        except psycopg.Error as error:
            state.found(problem_of_connect(str(error)))
            raise

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for an answer. Raises `psycopg.OperationalError` and closes the connection if none comes in time."""
        limit = self.proof_limit or _answers.limit
        if timeout is not None or limit is None:
            return super().wait(gen, interval, timeout)
        begun = time.monotonic()
        try:
            return super().wait(gen, interval, limit)
        except psycopg.OperationalError as error:
            if error.sqlstate is not None or time.monotonic() - begun < limit:
                raise
            self.close()  # a late answer would be taken for the next statement's
            state.found(Problem.UNREACHABLE)
            raise psycopg.OperationalError(f"no answer from the server within {limit:g} s") from error


class _Drops:
    """When the pool of this process was last dropped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.last = float("-inf")

    def drop(self, pool: Pool) -> None:
        """Replace every connection of the pool; those in use are closed when they come back."""
        now = time.monotonic()
        with self._lock:
            if now - self.last < DROP_SPACING_SECONDS:
                return
            self.last = now
        pool.drain()


drops: Final = _Drops()
"""This process's."""


class Proof:
    """The pool's check of a connection that leaves it. With ``required`` no read-only server is used."""

    def __init__(self, pool: Pool, *, required: bool) -> None:
        self._pool = pool
        self._required = required

    def __call__(self, candidate: Connection) -> None:
        """Raise the driver's error for a lost connection, :class:`ReadOnlyServerError` for a read-only server."""
        try:
            read_only = is_read_only(candidate)
        except psycopg.Error:
            if candidate.closed:
                drops.drop(self._pool)
            raise
        if not read_only:
            state.found_writable()
            return
        state.found(Problem.READ_ONLY)
        if self._required:
            candidate.close()  # the pool keeps a connection that failed its check unless it is closed
            drops.drop(self._pool)
            raise ReadOnlyServerError("the server is read-only")


def is_read_only(candidate: Connection) -> bool:
    """Whether the server rejects writes: a standby, or ``default_transaction_read_only``.

    Asks the server, since a pooler such as PgBouncer may report the parameters of another one.
    """
    if isinstance(candidate, ReportingConnection):
        candidate.proof_limit = PROOF_SECONDS
    try:
        if not candidate.autocommit:
            candidate.autocommit = True  # Django sets it again
        row = candidate.execute("SHOW transaction_read_only").fetchone()
    finally:
        if isinstance(candidate, ReportingConnection):
            candidate.proof_limit = None
    return row is not None and row[0] == "on"


def renew_kept_connection() -> None:
    """Give back a connection that this thread has kept for a while; the next query takes one that proves itself.

    Called before each use by threads that keep their connection: what they read must be the primary's. SQLite has
    nothing to renew.
    """
    renew = getattr(connection, "renew", None)
    if renew is not None:
        renew()


def prove_writable() -> None:
    """Take a connection whose server accepts writes. Raises Django's database errors."""
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return
    connection.close()
    connection.ensure_connection()
    if state.problem is Problem.READ_ONLY:  # with target_session_attrs=any
        raise OperationalError("the server is read-only")
