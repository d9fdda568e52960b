"""Serializer fields that accept exactly what the API's description says.

REST framework's own fields are lenient: they accept ``"5"`` and ``True`` as integers, ``5`` as a string, and an integer
as a UUID. Strict fields show such a mistake during development. No message repeats the input.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from rest_framework import serializers

from hunarmitra.common.clock import NaiveTimestampError, from_wire, to_wire
from hunarmitra.common.plain_text import hidden_character, hidden_character_error

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


class Text(serializers.CharField):
    """A JSON string."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class PlainText(Text):
    """A JSON string without control characters and direction overrides; ``newlines`` accepts several lines."""

    def __init__(self, *, newlines: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.newlines = newlines

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if character := hidden_character(text, newlines=self.newlines):
            raise serializers.ValidationError(hidden_character_error(character), code="invalid")
        return text


class Identifier(serializers.Field[UUID, Any, str, Any]):
    """A UUID in its usual spelling."""

    default_error_messages = {"invalid": "Must be a UUID."}

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str) or not _UUID.fullmatch(data):
            self.fail("invalid")
        return UUID(data)

    def to_representation(self, value: Any) -> str:
        return str(value)


class Choice(serializers.Field[str, Any, str, Any]):
    """One of a few words."""

    default_error_messages = {"invalid": "Must be one of {words}."}

    def __init__(self, words: Sequence[str], **options: Any) -> None:
        super().__init__(**options)
        self.words = tuple(words)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or data not in self.words:
            self.fail("invalid", words=", ".join(self.words))
        return data

    def to_representation(self, value: Any) -> str:
        return str(value)


class WholeNumber(serializers.Field[int, Any, int, Any]):
    """A JSON number without a fraction."""

    default_error_messages = {"invalid": "Must be a whole number.", "range": "Must be from {minimum} to {maximum}."}

    def __init__(self, minimum: int, maximum: int, **options: Any) -> None:
        super().__init__(**options)
        self.minimum, self.maximum = minimum, maximum

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, float) and data.is_integer():
            data = int(data)
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        if not self.minimum <= data <= self.maximum:
            self.fail("range", minimum=self.minimum, maximum=self.maximum)
        return int(data)

    def to_representation(self, value: Any) -> int:
        return int(value)


class Number(serializers.Field[float, Any, float, Any]):
    """A finite JSON number; ``1e400`` is JSON, but no number that a float holds."""

    default_error_messages = {
        "invalid": "Must be a number.",
        "infinite": "Must be a finite number.",
        "range": "Must be from {minimum:g} to {maximum:g}.",
        "below": "Must be at least {minimum:g} and less than {maximum:g}.",
    }

    def __init__(self, minimum: float, maximum: float, *, below: bool = False, **options: Any) -> None:
        """``below``: the maximum itself is not allowed."""
        super().__init__(**options)
        self.minimum, self.maximum, self.below = minimum, maximum, below

    def to_internal_value(self, data: Any) -> float:
        if not isinstance(data, (int, float)) or isinstance(data, bool):
            self.fail("invalid")
        if not math.isfinite(data if isinstance(data, float) else 0):
            self.fail("infinite")
        if not self.minimum <= data <= self.maximum or (self.below and data == self.maximum):
            self.fail("below" if self.below else "range", minimum=self.minimum, maximum=self.maximum)
        return float(data)

    def to_representation(self, value: Any) -> float:
        return float(value)


class DecimalNumber(serializers.Field[Decimal, Any, str, Any]):
    """A JSON number, or a string of one, with at most ``places`` decimals; a string in responses.

    With ``rounds``, further decimals are rounded off: phones report far more than are meaningful.
    """

    default_error_messages = {
        "invalid": "Must be a number, or a string of one.",
        "range": "Must be from {minimum} to {maximum}.",
        "places": "Must have at most {places} decimals.",
    }
    pattern: Final = re.compile(r"-?\d{1,15}(?:\.\d{1,30})?", re.ASCII)

    def __init__(
        self, minimum: Decimal | int, maximum: Decimal | int, places: int, *, rounds: bool = False, **options: Any
    ) -> None:
        super().__init__(**options)
        self.minimum, self.maximum, self.places, self.rounds = Decimal(minimum), Decimal(maximum), places, rounds

    def to_internal_value(self, data: Any) -> Decimal:
        number = self._number(data)
        if not self.minimum <= number <= self.maximum:
            self.fail("range", minimum=self.minimum, maximum=self.maximum)
        rounded = number.quantize(Decimal(1).scaleb(-self.places))
        if rounded != number and not self.rounds:
            self.fail("places", places=self.places)
        return rounded or abs(rounded)  # no minus zero

    def _number(self, data: Any) -> Decimal:
        if isinstance(data, str) and not self.pattern.fullmatch(data):
            self.fail("invalid")
        if not isinstance(data, (str, int, float)) or isinstance(data, bool):
            self.fail("invalid")
        try:
            number = Decimal(repr(data) if isinstance(data, float) else data)
        except InvalidOperation:
            self.fail("invalid")
        if not number.is_finite():
            self.fail("invalid")
        return number

    def to_representation(self, value: Any) -> str:
        return str(Decimal(value).quantize(Decimal(1).scaleb(-self.places)))


class Moment(serializers.Field[datetime, Any, str, Any]):
    """RFC 3339, any offset on input, ``Z`` on output."""

    default_error_messages = {
        "invalid": "Must be an RFC 3339 timestamp, such as 2026-01-03T11:05:00Z.",
        "naive": "Must have an offset; end it in Z for UTC.",
    }

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str):
            self.fail("invalid")
        try:
            return from_wire(data)
        except NaiveTimestampError:
            self.fail("naive")
        except ValueError:
            self.fail("invalid")

    def to_representation(self, value: Any) -> str:
        return to_wire(value)
