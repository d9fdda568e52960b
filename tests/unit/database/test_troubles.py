"""Which database errors mean that the database is unavailable, by SQLSTATE."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import psycopg
import pytest
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, InternalError, OperationalError
from django.db.transaction import TransactionManagementError
from psycopg import errors as sqlstates
from psycopg_pool import PoolTimeout

from hunarmitra.database.troubles import Trouble, describe, is_unavailable, sqlstate_of, trouble_of
from hunarmitra_http.errors import error_response

TABLE = {
    Trouble.READ_ONLY: ["25006"],
    Trouble.CONFLICT: ["40001", "40P01"],
    Trouble.LOST: [
        *("08000", "08001", "08003", "08004", "08006", "08007", "08P01"),
        *("25P03", "25P04", "28000", "28P01"),
        *("57000", "57P01", "57P02", "57P03", "57P04", "57P05"),
    ],
    Trouble.BUSY: [
        *("40000", "40003", "53000", "53100", "53200", "53300", "53400", "55006", "55P03", "57014"),
        *("58000", "58030", "58P01"),
    ],
    None: [
        *("0A000", "21000", "22003", "22P02", "23503", "23505", "25000", "25001", "25P01", "25P02", "26000", "34000"),
        *("3D000", "40002", "42501", "42601", "42703", "42P01", "54000", "54001", "55000", "P0001", "XX000", "XX001"),
    ],
}


def as_django(code: str) -> Exception:
    """The error that Django raises for PostgreSQL's error of this code."""
    driver = sqlstates.lookup(code)("the server's text")
    for kind in (DataError, OperationalError, IntegrityError, InternalError, DatabaseError):
        if isinstance(driver, getattr(psycopg, kind.__name__)):
            error = kind(*driver.args)
            error.__cause__ = driver
            return error
    raise AssertionError(code)


CASES = [(code, trouble) for trouble, codes in TABLE.items() for code in codes]


@pytest.mark.parametrize(("code", "trouble"), CASES)
def test_each_code_has_its_trouble_from_the_driver_and_from_django(code: str, trouble: Trouble | None) -> None:
    error = as_django(code)
    assert trouble_of(error) is trouble
    assert error.__cause__ is not None
    assert trouble_of(error.__cause__) is trouble
    assert is_unavailable(error) is (trouble is not None)
    assert sqlstate_of(error) == code
    assert describe(error) == f"{type(error).__name__} {code}"


@pytest.mark.parametrize(("code", "trouble"), CASES)
def test_rest_answers_503_for_each_trouble_and_leaves_the_rest_to_django(code: str, trouble: Trouble | None) -> None:
    response = error_response(as_django(code), {})
    if trouble is None:
        assert response is None
    else:
        assert response is not None
        assert (response.status_code, response.data["code"]) == (503, "unavailable")
        assert int(response["Retry-After"]) > 0


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("consuming input failed: server closed the connection unexpectedly"),
        InterfaceError("connection already closed"),
        psycopg.OperationalError("the connection is lost"),
        PoolTimeout("couldn't get a connection after 5.00 sec"),
    ],
)
def test_an_error_of_the_driver_without_a_code_is_a_lost_connection(error: Exception) -> None:
    assert trouble_of(error) is Trouble.LOST
    assert sqlstate_of(error) is None
    assert describe(error) == type(error).__name__


def test_a_defect_of_the_code_is_not_an_unavailable_database() -> None:
    for error in (TransactionManagementError("x"), DatabaseError("x"), ValueError("x"), TimeoutError("x")):
        assert not is_unavailable(error)


def in_sqlite(run: Callable[[sqlite3.Connection], object]) -> OperationalError:
    connection = sqlite3.connect(":memory:")
    try:
        run(connection)
    except sqlite3.OperationalError as error:
        wrapped = OperationalError(*error.args)
        wrapped.__cause__ = error
        return wrapped
    finally:
        connection.close()
    raise AssertionError("no error")


def test_sqlite_names_its_errors() -> None:
    def write_read_only(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA query_only = 1")
        connection.execute("CREATE TABLE new (id)")

    assert trouble_of(in_sqlite(lambda connection: connection.execute("SELECT * FROM missing"))) is None
    assert trouble_of(in_sqlite(write_read_only)) is Trouble.READ_ONLY
    locked = sqlite3.OperationalError("database is locked")
    locked.sqlite_errorname = "SQLITE_BUSY"
    error = OperationalError("database is locked")
    error.__cause__ = locked
    assert trouble_of(error) is Trouble.BUSY
