"""Time on the wire: UTC, RFC 3339, ending in ``Z``."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Final

from django.utils.dateparse import parse_datetime

_MICROSECOND: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
"""ISO 8601, which the standard library reads, has many more spellings; the offset is judged by itself."""


class NaiveTimestampError(ValueError):
    """A timestamp without an offset, which could mean any of forty hours."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def microseconds_now() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def to_wire(moment: datetime) -> str:
    """``2026-01-03T11:05:00Z``, with microseconds only where there are any."""
    # What is UTC already is most of what there is, and twice as quick.
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat() + "Z"


def from_wire(text: str) -> datetime:
    """Raises ValueError for a text that is not RFC 3339, :class:`NaiveTimestampError` for one without offset."""
    spelled = text.upper()
    if not _RFC_3339.fullmatch(spelled):
        raise ValueError("not an RFC 3339 timestamp")
    moment = parse_datetime(spelled)
    if moment is None:
        raise ValueError("not an RFC 3339 timestamp")
    if moment.tzinfo is None:
        raise NaiveTimestampError("the timestamp has no offset; end it in Z for UTC")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the timestamp is outside the years 1 to 9999 in UTC") from None


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970, exact: ``datetime.timestamp()`` is a float and rounds."""
    delta = moment - _EPOCH
    return (delta.days * 86400 + delta.seconds) * _MICROSECOND + delta.microseconds
