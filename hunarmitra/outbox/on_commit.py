"""Publish after the commit: from a committed transaction to the channel layer, once.

A service writes its numbered rows and calls :func:`publish_on_commit`. After the commit the rows are published
together and marked. If a crash or an unavailable Redis prevents that, ``published_at`` stays NULL and the relay
publishes the row later. Publishing a row twice is harmless: hubs drop a ``seq`` that they have seen.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction

from hunarmitra.common import checkpoints
from hunarmitra.common.clock import microseconds_now
from hunarmitra.outbox.models import OutboxRow, mark_published
from hunarmitra.outbox.publishing import publish_events
from hunarmitra.protocol.messages import Message, committed


def publish_on_commit(rows: Sequence[OutboxRow]) -> None:
    """Publish these rows, in this order, when the transaction commits; a failure never reaches the caller."""
    transaction.on_commit(lambda: _publish_committed(rows), robust=True)  # no partial: Django logs the __qualname__


def announce_on_commit(message: Message) -> None:
    """Publish a message without an outbox row when the transaction commits; its readers also poll the database."""
    transaction.on_commit(lambda: publish_events([message]), robust=True)


def _asks_for_ack() -> bool:
    """Whether clients are asked to acknowledge this event. Events of the relay never ask: they are late anyway."""
    rate = settings.ENVIRONMENT.ack_sample_rate
    return rate > 0 and random.random() < rate  # noqa: S311 - a sample, not a secret


def _publish_committed(rows: Sequence[OutboxRow]) -> None:
    checkpoints.reach("committed, not published")
    now = microseconds_now()
    if publish_events([committed(row.to_message(ack=_asks_for_ack()), now) for row in rows]):
        checkpoints.reach("published, not marked")
        mark_published(rows)
