"""The column of a booking's recent fixes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.db import models

from hunarmitra.locations.fixes import Fix, flattened, from_numbers

if TYPE_CHECKING:
    _Field = models.Field[Any, Any]
else:
    _Field = models.Field  # not subscriptable at run time


class FixesField(_Field):
    """At most eight fixes, oldest first: an array of numbers in PostgreSQL, JSON in SQLite. NULL reads as ``()``."""

    description = "Recent fixes"

    def db_type(self, connection: Any) -> str:
        return "double precision[]" if connection.vendor == "postgresql" else "text"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> tuple[Fix, ...]:
        return fixes_from_column(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if not value:
            return None
        numbers = flattened(value)
        return numbers if connection.vendor == "postgresql" else json.dumps(numbers)


def fixes_from_column(value: list[float] | str | None) -> tuple[Fix, ...]:
    """Return the fixes of a column as the driver gives it."""
    if not value:
        return ()
    return from_numbers(json.loads(value) if isinstance(value, str) else value)
