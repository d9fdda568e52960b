"""A transaction that was in another one's way is repeated, a few times."""

from __future__ import annotations

import pytest
from django.db import OperationalError, transaction
from psycopg import errors as sqlstates

from hunarmitra.database import retries
from hunarmitra.database.retries import MOST_TRIES, whole_transaction


def failure(code: str) -> OperationalError:
    error = OperationalError("x")
    error.__cause__ = sqlstates.lookup(code)("x")
    return error


class Service:
    """Fails with each of the errors, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, number: int, *, text: str) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return text * number


def repeated(service: Service) -> str:
    @whole_transaction
    def function(number: int, *, text: str) -> str:
        return service(number, text=text)

    return function(2, text="x")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "LONGEST_PAUSE_SECONDS", 0)


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_a_conflict_is_repeated(code: str) -> None:
    service = Service(failure(code), failure(code))
    assert repeated(service) == "xx"
    assert service.calls == 3


def test_the_last_conflict_is_raised() -> None:
    service = Service(*[failure("40001")] * 5)
    with pytest.raises(OperationalError):
        repeated(service)
    assert service.calls == MOST_TRIES


@pytest.mark.parametrize("code", ["40003", "57P01", "08006", "53300", "25006"])
def test_nothing_else_is_repeated(code: str) -> None:
    """After a lost connection nobody knows whether the transaction was committed."""
    service = Service(failure(code))
    with pytest.raises(OperationalError):
        repeated(service)
    assert service.calls == 1


@pytest.mark.django_db
def test_inside_another_transaction_nothing_is_repeated() -> None:
    service = Service(failure("40001"))
    with pytest.raises(OperationalError), transaction.atomic():
        repeated(service)
    assert service.calls == 1
