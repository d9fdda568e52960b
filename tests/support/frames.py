"""Check frames against their schemas, key for key. The schemas are compiled: some tests receive many frames."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator

from hunarmitra.protocol.frames import CATALOGUE, BookingConnected, NotificationsConnected
from hunarmitra.protocol.schemas import frame_schema


@cache
def _validators() -> dict[str, Draft202012Validator]:
    """Return the validators by class name, because two frames share a type."""
    schemas = {kind.__name__: frame_schema(kind, closed=True) for kind in CATALOGUE}
    return {name: Draft202012Validator(schema, validate_formats=True) for name, schema in schemas.items()}


_NAMES = {kind.type: kind.__name__ for kind in CATALOGUE}


def problems_of_frame(frame: Any) -> list[str]:
    """Return the frame's differences from its schema; an unknown type or key is one too."""
    kind = frame.get("type") if isinstance(frame, dict) else None
    if kind == BookingConnected.type:
        name = (BookingConnected if "booking_id" in frame else NotificationsConnected).__name__
    elif kind in _NAMES:
        name = _NAMES[kind]
    else:
        return [f"no frame of the catalogue: {frame}"]
    validator = _validators()[name]
    if validator.is_valid(frame):
        return []
    return [f"{name}: {error.message}: {frame}" for error in validator.iter_errors(frame)]
