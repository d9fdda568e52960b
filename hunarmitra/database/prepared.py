"""Statements that PostgreSQL parses and plans once for each connection instead of once for each call.

Django binds parameters on the client, so that the server sees a new text each time. For the few statements that are
most of the load, binding on the server costs it a third.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection

from hunarmitra.database.django_adapter import raw_connection, with_django_errors


def execute(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Execute a statement with either database, prepared as :func:`fetch_all` does; return its rows, if it has any.

    Parameters are as ``Field.get_db_prep_value`` returns them. Raises Django's database errors.
    """
    if connection.vendor == "postgresql":
        return fetch_all(statement, parameters)
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def fetch_all(statement: str, parameters: Mapping[str, Any] | Sequence[Any]) -> list[tuple[Any, ...]]:
    """Execute a statement, prepared unless ``DATABASE_PREPARED_STATEMENTS`` is off; return its rows.

    Only for PostgreSQL. Raises Django's database errors, as ``connection.cursor()`` does.
    """
    raw = raw_connection()
    with with_django_errors(), psycopg.Cursor(raw) as cursor:
        cursor.execute(statement.encode(), parameters, prepare=settings.ENVIRONMENT.database_prepared_statements)
        # `cursor.description` would make an object of each column, for no use.
        has_rows = cursor.pgresult is not None and cursor.pgresult.nfields
        rows: list[tuple[Any, ...]] = cursor.fetchall() if has_rows else []
    if connection.queries_logged:
        connection.queries_log.append({"sql": statement, "time": "0"})
    return rows
