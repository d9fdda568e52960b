"""Adapter for Django: its PostgreSQL backend, which here drops connections that lead to the wrong server."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from functools import cached_property
from types import TracebackType
from typing import Any, Final

from django.db import connection as current
from django.db.backends.postgresql import base as postgresql
from django.db.utils import DatabaseErrorWrapper

from hunarmitra.common.private_names import Library, names_of
from hunarmitra.database.connections import KEPT_SECONDS, WRITABLE, Proof, ReportingConnection, drops
from hunarmitra.database.psycopg_pool_adapter import Connection, Pool, check_with
from hunarmitra.database.state import Problem, state
from hunarmitra.database.troubles import Trouble, sqlstate_of, trouble_of

LIBRARY: Final = Library(
    "Django",
    "5.2.19",
    (
        *names_of(
            "django.db.backends.postgresql.base:DatabaseWrapper",
            {
                "pool": "the pool of the process",
                "get_new_connection(conn_params)": "takes a connection from the pool",
                "_close()": "gives a connection back to the pool, also a bad one",
                "wrap_database_errors": "the context, a DatabaseErrorWrapper, in which Django calls the driver",
            },
        ),
    ),
)


class DatabaseWrapper(postgresql.DatabaseWrapper):
    """One thread's connection. It closes a connection for good after an error that no later use would escape."""

    def __init__(self, settings_dict: dict[str, Any], alias: str = "default") -> None:
        super().__init__(settings_dict, alias)
        options = self.settings_dict["OPTIONS"]
        if options.get("pool"):
            options["pool"].setdefault("connection_class", ReportingConnection)
        self._requires_writable = options.get("target_session_attrs") in WRITABLE
        self._taken_at = 0.0
        self._is_bad = False

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        return _NoticingErrors(self)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        pool: Pool | None = self.pool
        if pool is not None:
            check_with(pool, self._proof, Proof)
        taken = super().get_new_connection(conn_params)
        self._taken_at = time.monotonic()
        self._is_bad = False
        return taken

    def _proof(self, pool: Pool) -> Proof:
        return Proof(pool, required=self._requires_writable)

    def _close(self) -> None:
        if self.connection is not None and self._is_bad:
            self.connection.close()  # the pool discards a closed connection, and would keep a read-only one
        super()._close()  # type: ignore[misc]  # django-stubs do not know it

    def renew(self) -> None:
        """Give the connection back to the pool if it was taken a while ago, or before the pool was dropped."""
        if self.connection is None or self.in_atomic_block:
            return
        if time.monotonic() - self._taken_at > KEPT_SECONDS or self._taken_at <= drops.last:
            self.close()

    def notice(self, error: BaseException) -> None:
        """Judge an error of the driver; the connection is closed when Django gives it back."""
        trouble = trouble_of(error)
        if self.connection is None or trouble not in {Trouble.READ_ONLY, Trouble.LOST}:
            return
        if sqlstate_of(error) is None and not self.connection.closed:
            return
        self._is_bad = True
        if trouble is Trouble.READ_ONLY:
            state.found(Problem.READ_ONLY)
        if self.pool is not None:
            drops.drop(self.pool)


class _NoticingErrors(DatabaseErrorWrapper):
    def __init__(self, wrapper: DatabaseWrapper) -> None:
        super().__init__(wrapper)
        self._noticed_by = wrapper

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_value is not None:
            self._noticed_by.notice(exc_value)
        super().__exit__(exc_type, exc_value, traceback)


def raw_connection() -> Connection:
    """Return the driver's connection of this thread. Raises Django's database errors."""
    current.ensure_connection()
    raw: Connection = current.connection
    return raw


def with_django_errors() -> AbstractContextManager[None]:
    """Turn the driver's errors into Django's in this thread."""
    return current.wrap_database_errors
