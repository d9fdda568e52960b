"""Instances of a model from a statement written by hand, for the few questions that every request asks.

For each row set ``Manager.raw`` works out again which column is which field and how to convert it. That costs more than
the query itself, so it is done once for each thread here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model

_Model = TypeVar("_Model", bound=Model)
_Converter = Callable[[Any], Any]


class RowReader(Generic[_Model]):
    """Reads the named fields of ``model``; what a statement selects after :attr:`columns` comes as it is.

    ``Model.from_db`` takes values in the model's own order only, so that is the order of the columns.
    """

    def __init__(self, model: type[_Model], names: Sequence[str]) -> None:
        self._model = model
        fields: list[Any] = [model._meta.get_field(name) for name in names]
        self._fields = sorted(fields, key=model._meta.concrete_fields.index)
        self._attributes = [field.attname for field in self._fields]
        self._by_thread = threading.local()
        self.columns = ", ".join(f"{model._meta.db_table}.{field.column}" for field in self._fields)
        """For the statement's SELECT."""

    def read(self, statement: str, parameters: Sequence[Any]) -> list[tuple[_Model, tuple[Any, ...]]]:
        """Each row as an instance, whose other fields are deferred, and the values that follow its own."""
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            rows = cursor.fetchall()
        if not rows:
            return []
        size, converters = len(self._fields), self._converters()
        found = []
        for row in rows:
            values = list(row[:size])
            for position, convert in converters:
                values[position] = convert(values[position])
            found.append((self._model.from_db(connection.alias, self._attributes, values), tuple(row[size:])))
        return found

    def _converters(self) -> list[tuple[int, _Converter]]:
        """None with PostgreSQL, whose driver has all of our types. They belong to a connection, hence to a thread."""
        if getattr(self._by_thread, "vendor", None) != connection.vendor:
            self._by_thread.vendor = connection.vendor
            self._by_thread.converters = [
                (position, convert)
                for position, field in enumerate(self._fields)
                for convert in self._converters_of(field)
            ]
        converters: list[tuple[int, _Converter]] = self._by_thread.converters
        return converters

    def _converters_of(self, field: Any) -> list[_Converter]:
        column = field.get_col(self._model._meta.db_table)

        def bound(convert: Any) -> _Converter:
            return lambda value: convert(value, column, connection)

        return [
            bound(convert)
            for convert in [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
        ]
