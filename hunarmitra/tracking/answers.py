"""The response body for an accepted location over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hunarmitra.common.clock import to_wire
from hunarmitra.tracking.locations import AcceptedLocation


def accepted_answer(booking_id: UUID, accepted: AcceptedLocation) -> dict[str, Any]:
    """Return the body of the answer to ``POST tracking/{booking_id}/``."""
    reading = accepted.reading
    location: dict[str, Any] = {"lat": reading.lat, "lng": reading.lng, "timestamp": to_wire(accepted.moment)}
    for name in ("accuracy", "heading", "speed"):
        if (value := getattr(reading, name)) is not None:
            location[name] = value
    if reading.uncertain:
        location["uncertain"] = True
    answer: dict[str, Any] = {
        "status": "success",
        "message": "Location updated",
        "booking_id": str(booking_id),
        "location": location,
        "next_in_ms": accepted.next_in_ms,
    }
    if accepted.eta_minutes is not None:
        answer["eta_minutes"] = accepted.eta_minutes
    return answer
