"""Timestamps on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunarmitra.common.clock import NaiveTimestampError, from_wire, to_microseconds, to_wire, utc_now

INDIA = timezone(timedelta(hours=5, minutes=30))
MOMENT = datetime(2026, 1, 3, 11, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (MOMENT, "2026-01-03T11:05:00Z"),
        (MOMENT.astimezone(INDIA), "2026-01-03T11:05:00Z"),
        (MOMENT.replace(microsecond=1200), "2026-01-03T11:05:00.001200Z"),
    ],
)
def test_to_wire(moment: datetime, text: str) -> None:
    assert to_wire(moment) == text


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-03T11:05:00Z",
        "2026-01-03t11:05:00z",
        "2026-01-03T11:05:00+00:00",
        "2026-01-03T16:35:00+05:30",
        "2026-01-03T11:05:00.000000Z",
        "2026-01-02T23:05:00-12:00",
    ],
)
def test_any_offset_is_understood(text: str) -> None:
    assert from_wire(text) == MOMENT
    assert from_wire(text).tzinfo is UTC


def test_a_naive_timestamp_is_an_error_of_its_own() -> None:
    with pytest.raises(NaiveTimestampError, match="has no offset"):
        from_wire("2026-01-03T11:05:00")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1767438300",
        "2026-01-03",
        "2026-01-03 11:05:00Z",
        "2026-13-03T11:05:00Z",
        "2026-02-30T11:05:00Z",
        "2026-01-03T25:05:00Z",
        "2026-01-03T11:05:00Q",
        "2026-01-03T11:05:00Z ",
        "T",
    ],
)
def test_what_is_no_timestamp(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an RFC 3339|must be in|out of range"):
        from_wire(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_was_written_is_read_back(moment: datetime) -> None:
    assert from_wire(to_wire(moment)) == moment


@given(st.datetimes(timezones=st.just(UTC)), st.integers(1, 10**12))
def test_microseconds_are_exact_and_keep_the_order(moment: datetime, more: int) -> None:
    later = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=more)
    assert to_microseconds(later) == more
    assert (to_microseconds(moment) < more) == (moment < later)


def test_now_is_utc() -> None:
    assert utc_now().tzinfo is UTC
