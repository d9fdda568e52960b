"""Rows of a model read and written with statements that are composed once, for what most requests do.

The ORM composes each statement again, and works out for each row set which column is which field and how to convert it.
That costs more than the statement itself, on both sides: PostgreSQL parses and plans each new text. Here it is done
once. The ORM's signals, defaults of the database and ``auto_now`` are not supported.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import AutoField, Model

from hunarmitra.database import prepared

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
        rows = prepared.execute(statement, parameters)
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

    def by_id(self, ids: Collection[Any]) -> dict[Any, _Model]:
        """Return instances by their primary key ``id``, in one query; none for an unknown one."""
        if not ids:
            return {}
        condition, parameters = one_of(self._model, "id", ids)
        statement = f"SELECT {self.columns} FROM {self._model._meta.db_table} WHERE {condition}"  # noqa: S608 - names of the model
        return {instance.pk: instance for instance, _ in self.read(statement, parameters)}

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


class RowWriter(Generic[_Model]):
    """Inserts and updates rows of ``model``."""

    def __init__(self, model: type[_Model]) -> None:
        self._model = model
        self._fields: dict[str, Any] = {field.name: field for field in model._meta.concrete_fields}
        key = model._meta.pk
        self._made_by_database = key if isinstance(key, AutoField) else None
        self._inserted = [field for field in self._fields.values() if field is not self._made_by_database]

    def insert(self, rows: Sequence[_Model], *, unless_there: bool = False) -> None:
        """Insert new rows with one statement, and set primary keys that the database makes.

        With ``unless_there`` a row that violates a unique constraint is left out, and no keys are set.
        Do not call ``save()`` of the rows afterwards: Django takes them for new ones.
        """
        if not rows:
            return
        table, columns = self._model._meta.db_table, ", ".join(field.column for field in self._inserted)
        values = ", ".join(["(" + ", ".join(["%s"] * len(self._inserted)) + ")"] * len(rows))
        statement = f"INSERT INTO {table} ({columns}) VALUES {values}"  # noqa: S608 - names of the model
        parameters = [_prepared(field, row) for row in rows for field in self._inserted]
        if unless_there:
            prepared.execute(f"{statement} ON CONFLICT DO NOTHING", parameters)
        elif self._made_by_database is None:
            prepared.execute(statement, parameters)
        else:
            made = prepared.execute(f"{statement} RETURNING {self._made_by_database.column}", parameters)
            for row, (key,) in zip(rows, made, strict=True):
                row.pk = key

    def update(self, row: _Model, names: Sequence[str]) -> None:
        """Store these fields of a row."""
        fields = [self._fields[name] for name in names]
        key = self._model._meta.pk
        changes = ", ".join(f"{field.column} = %s" for field in fields)
        statement = f"UPDATE {self._model._meta.db_table} SET {changes} WHERE {key.column} = %s"  # noqa: S608 - names
        prepared.execute(statement, [_prepared(field, row) for field in (*fields, key)])


def one_of(model: type[Model], name: str, values: Collection[Any]) -> tuple[str, list[Any]]:
    """Return the condition that a field has one of these values, and its parameters.

    PostgreSQL takes one array, so that the statement is the same for any number of values.
    """
    field: Any = model._meta.get_field(name)
    column = f"{model._meta.db_table}.{field.column}"
    converted = [field.get_db_prep_value(value, connection) for value in values]
    if connection.vendor == "postgresql":
        return f"{column} = ANY(%s)", [converted]
    return f"{column} IN ({', '.join(['%s'] * len(converted))})", converted


def _prepared(field: Any, row: Model) -> Any:
    return field.get_db_prep_save(getattr(row, field.attname), connection)
