"""Security events: one log line (logger ``hunarmitra.security``) and one count for each.

A line has ``event``, ``outcome``, ``user_id``, ``session_id`` and ``address``. It never has a name, a phone number or a
token: a wrong user name is often a password that was typed into the wrong field.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from functools import partial
from typing import Final
from uuid import UUID

from django.db import transaction
from prometheus_client import CollectorRegistry

from hunarmitra.telemetry import catalogue
from hunarmitra.telemetry.labels import SECURITY_OUTCOMES, SECURITY_WARNINGS
from hunarmitra.telemetry.native import counter

logger = logging.getLogger("hunarmitra.security")

REGISTRY: Final = CollectorRegistry()
_events: Final = counter(catalogue.SECURITY_EVENTS, REGISTRY)

client_address: ContextVar[str | None] = ContextVar("client_address", default=None)
"""The client's address of the current request; the middleware sets it."""


def record(
    event: str, outcome: str, *, user_id: UUID | None = None, session_id: UUID | None = None, **details: str | UUID
) -> None:
    """Record an event. Within a transaction it is written after the commit, or not at all after a rollback."""
    assert outcome in SECURITY_OUTCOMES[event], (event, outcome)
    ids = {"user_id": user_id, "session_id": session_id, **details, "address": client_address.get()}
    known = {name: str(value) for name, value in ids.items() if value is not None}
    transaction.on_commit(partial(_write, event, outcome, known), robust=True)


def _write(event: str, outcome: str, fields: dict[str, str]) -> None:
    _events.labels(event, outcome).inc()
    level = logging.WARNING if (event, outcome) in SECURITY_WARNINGS else logging.INFO
    listed = ", ".join(f"{name} {value}" for name, value in fields.items())
    logger.log(
        level,
        "security event: %s %s%s",
        event,
        outcome,
        f" ({listed})" if listed else "",
        extra={"fields": {"event": event, "outcome": outcome, **fields}},
    )
