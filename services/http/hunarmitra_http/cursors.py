"""Pages by cursor: a row that exists when a client begins to read comes exactly once.

A page number counts rows from the start, so a new row moves all others, and the next page repeats one. A cursor has the
keys of the last row that was read, and the next page begins after them. The keys must have two properties: they never
change, and no two rows have equal ones. REST framework's own CursorPagination counts offsets among equal values, which
moves again.

A cursor gives no right: the view's filters apply to each page. So it is not signed.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet

LONGEST_CURSOR: Final = 200
PATTERN: Final = f"^[A-Za-z0-9_-]{{0,{LONGEST_CURSOR}}}$"
_AFTER, _BEFORE = "after", "before"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


class InvalidCursorError(ValueError):
    """A text that is not a cursor of this list."""


def _whole_number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a number")
    return int(text)


def _moment(text: str) -> datetime:
    return _EPOCH + timedelta(microseconds=_whole_number(text))


def _microseconds(moment: datetime) -> str:
    return str((moment - _EPOCH) // timedelta(microseconds=1))


@dataclass(frozen=True, slots=True)
class Key:
    """A column of an order. Its values never change."""

    field: str
    parse: Callable[[str], Any]
    text: Callable[[Any], str] = str
    descending: bool = False


def identifier_key(field: str = "id") -> Key:
    return Key(field, UUID)


def newest_first_key(field: str) -> Key:
    return Key(field, _moment, _microseconds, descending=True)


def highest_first_key(field: str) -> Key:
    return Key(field, _whole_number, descending=True)


@dataclass(frozen=True, slots=True)
class Position:
    """The keys of a row, and whether the page is after or before it."""

    values: tuple[Any, ...]
    before: bool


@dataclass(frozen=True, slots=True)
class Page:
    """``next`` and ``previous`` are cursors; None where no row follows. An empty ``next`` is the first page."""

    rows: list[Any]
    next: str | None
    previous: str | None


class CursorOrder:
    """The order in which a list is read by cursor. Together, its keys differ for all rows."""

    def __init__(self, name: str, *keys: Key) -> None:
        """``name`` is in each cursor, so that the cursor of another list is an error."""
        self._name = name
        self._keys = keys

    def page(self, parts: Sequence[QuerySet[Any]], cursor: str, size: int) -> Page:
        """Read one page. Raises :class:`InvalidCursorError`.

        ``parts`` are disjoint, and together the list. Each is read by its own index.
        """
        position = self._read(cursor) if cursor else None
        before = position is not None and position.before
        ordering = [f"{'-' if key.descending != before else ''}{key.field}" for key in self._keys]
        condition = Q() if position is None else self._beyond(position)
        rows = [row for part in parts for row in part.filter(condition).order_by(*ordering)[: size + 1]]
        if len(parts) > 1:
            for key in reversed(self._keys):
                rows.sort(key=attrgetter(key.field), reverse=key.descending != before)
        more = len(rows) > size
        rows = rows[:size]
        if before:
            rows.reverse()
            following = self._write(rows[-1], _AFTER) if rows else ""
            return Page(rows, following, self._write(rows[0], _BEFORE) if more else None)
        preceding = self._write(rows[0], _BEFORE) if rows and position is not None else None
        return Page(rows, self._write(rows[-1], _AFTER) if more else None, preceding)

    def _beyond(self, position: Position) -> Q:
        """The rows strictly beyond the position. The first column is bounded alone, so that its index is used."""
        condition: Q | None = None
        for key, value in reversed(list(zip(self._keys, position.values, strict=True))):
            comparison = "gt" if key.descending == position.before else "lt"
            strictly = Q(**{f"{key.field}__{comparison}": value})
            bound = Q(**{f"{key.field}__{comparison}e": value})
            condition = strictly if condition is None else bound & (strictly | condition)
        assert condition is not None
        return condition

    def _write(self, row: Any, side: str) -> str:
        values = (key.text(getattr(row, key.field)) for key in self._keys)
        return base64.urlsafe_b64encode(" ".join((self._name, side, *values)).encode()).decode().rstrip("=")

    def _read(self, cursor: str) -> Position:
        try:
            if not re.fullmatch(PATTERN, cursor):
                raise ValueError("not a cursor's characters")
            padded = cursor + "=" * (-len(cursor) % 4)
            name, side, *texts = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").split(" ")
            if name != self._name or side not in (_AFTER, _BEFORE):
                raise ValueError("not a cursor of this list")
            values = tuple(key.parse(text) for key, text in zip(self._keys, texts, strict=True))
        except (ValueError, OverflowError, binascii.Error) as error:
            raise InvalidCursorError(str(error)) from None
        return Position(values, before=side == _BEFORE)
