"""The serializer fields: accepted values, their results, and rejected values."""

from __future__ import annotations

import contextlib
import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some
from rest_framework.exceptions import ValidationError
from rest_framework.serializers import Field

from hunarmitra_http.fields import Choice, DecimalNumber, Identifier, Moment, Number, Text, WholeNumber

JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=5,
)
DEGREES = DecimalNumber(-90, 90, 6, rounds=True)
PRICE = DecimalNumber(0, Decimal("99999999.99"), 2)


@given(JSON)
def test_whatever_comes_a_field_takes_it_or_says_what_is_wrong(value: Any) -> None:
    fields: list[Field[Any, Any, Any, Any]] = [DEGREES, PRICE]
    fields += [Text(max_length=5), Identifier(), Choice(["a", "b"]), WholeNumber(1, 10), Number(-90, 90), Moment()]
    for field in fields:
        with contextlib.suppress(ValidationError):
            json.dumps(field.to_representation(field.run_validation(value)), allow_nan=False)


@given(some.floats(-90, 90))
def test_numbers_are_finite_and_in_range(value: float) -> None:
    assert Number(-90, 90).run_validation(value) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 90.1, -91, 10**400, True, "1", None])
def test_what_is_no_number_in_range(value: Any) -> None:
    with pytest.raises(ValidationError):
        Number(-90, 90).run_validation(value)


@pytest.mark.parametrize(("value", "taken"), [(1, 1), (10, 10), (2.0, 2)])
def test_whole_numbers(value: Any, taken: int) -> None:
    assert WholeNumber(1, 10).run_validation(value) == taken


@pytest.mark.parametrize("value", [0, 11, 1.5, True, "1", math.inf, math.nan, 10**4000, None, [1]])
def test_what_is_no_whole_number_in_range(value: Any) -> None:
    with pytest.raises(ValidationError):
        WholeNumber(1, 10).run_validation(value)


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        (28.6139, "28.613900"), ("28.6139", "28.613900"), (28.61391249, "28.613912"), (-0.00000001, "0.000000"),
        (1e-300, "0.000000"), (90, "90.000000"), ("-90.000000", "-90.000000"),
    ],
)  # fmt: skip
def test_degrees_are_rounded(value: Any, taken: str) -> None:
    assert DEGREES.to_representation(DEGREES.run_validation(value)) == taken


@pytest.mark.parametrize(
    "value", [90.0001, "1e1", " 1", "+1", "1.", ".5", "NaN", "", "٤", True, math.nan, math.inf, {}]
)
def test_what_are_no_degrees(value: Any) -> None:
    with pytest.raises(ValidationError):
        DEGREES.run_validation(value)


@pytest.mark.parametrize(("value", "taken"), [(0, "0.00"), ("499", "499.00"), (12.5, "12.50"), ("1.500", "1.50")])
def test_prices(value: Any, taken: str) -> None:
    assert PRICE.to_representation(PRICE.run_validation(value)) == taken


@pytest.mark.parametrize("value", ["1.005", 0.001, -0.01, "100000000", 1e20])
def test_what_is_no_price(value: Any) -> None:
    with pytest.raises(ValidationError):
        PRICE.run_validation(value)


def test_moments_end_in_z_whatever_offset_came() -> None:
    moment = Moment().run_validation("2026-01-03T16:35:00.5+05:30")
    assert moment == datetime(2026, 1, 3, 11, 5, 0, 500_000, tzinfo=UTC)
    assert Moment().to_representation(moment) == "2026-01-03T11:05:00.500000Z"


def test_a_naive_moment_is_told_apart() -> None:
    with pytest.raises(ValidationError) as raised:
        Moment().run_validation("2026-01-03T16:35:00")
    assert raised.value.get_codes() == ["naive"]


def test_ids_are_uuids_in_their_usual_spelling() -> None:
    text = "0d5f5a5e-3c69-4d3a-9f0a-6f5b8f6d2a11"
    assert Identifier().run_validation(text) == Identifier().run_validation(text.upper()) == UUID(text)
    for wrong in (text.replace("-", ""), f"{{{text}}}", f"urn:uuid:{text}", f"{text}\n", 5, None):
        with pytest.raises(ValidationError):
            Identifier().run_validation(wrong)


def test_no_message_repeats_the_input() -> None:
    secret = "hunter2\ud800"
    for field in (Identifier(), Choice(["a", "b"]), Moment(), DEGREES, WholeNumber(1, 2), Number(1, 2)):
        with pytest.raises(ValidationError) as raised:
            field.run_validation(secret)
        assert "hunter2" not in str(raised.value)
