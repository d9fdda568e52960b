"""Read a location from a JSON object, for the entry points without REST framework. Pure.

REST's serializer (``hunarmitra_http.serializers.tracking``) has the same rules and better messages; tests compare them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from hunarmitra.common.clock import from_wire
from hunarmitra.tracking.locations import HIGHEST_HEADING, HIGHEST_SPEED, WORST_ACCURACY, Reading

_OPTIONAL: Final[Mapping[str, float]] = {
    "accuracy": WORST_ACCURACY,
    "heading": math.nextafter(HIGHEST_HEADING, 0),
    "speed": HIGHEST_SPEED,
}


class InvalidReadingError(ValueError):
    """A key is missing or has a wrong value. The message names the key, but does not repeat the value."""


def reading_from(body: Mapping[str, Any], *, now: datetime, max_future: float) -> Reading:
    """Return the location of a JSON object; other keys are ignored.

    ``max_future`` is in seconds. Raises :class:`InvalidReadingError`.
    """
    return Reading(
        lat=_number(body, "lat", -90, 90),
        lng=_number(body, "lng", -180, 180),
        timestamp=_moment(body.get("timestamp"), now, max_future),
        **{name: _number(body, name, 0, most) for name, most in _OPTIONAL.items() if body.get(name) is not None},
    )


def _number(body: Mapping[str, Any], name: str, least: float, most: float) -> float:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise InvalidReadingError(f"{name} must be a number from {least:g} to {most:g}.")
    return float(value)


def _moment(value: object, now: datetime, max_future: float) -> datetime | None:
    if value is None:
        return None
    try:
        moment = from_wire(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise InvalidReadingError("timestamp must be an RFC 3339 timestamp with an offset.")
    if moment > now + timedelta(seconds=max_future):
        raise InvalidReadingError(f"timestamp must not be more than {max_future:g} seconds in the future.")
    return moment
