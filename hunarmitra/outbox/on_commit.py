"""From the committed transaction to the channel layer, once.

A service writes its numbered rows and calls :func:`publish_on_commit`. After the commit the rows are
published in one go and marked. Whatever keeps that from happening (a crash, Redis away) leaves
``published_at`` empty, and the relay publishes the row later. Publishing twice is harmless: hubs drop a
``seq`` that they have seen.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction

from hunarmitra.common import checkpoints
from hunarmitra.common.clock import microseconds_now, to_microseconds, utc_now
from hunarmitra.outbox.models import OutboxRow
from hunarmitra.outbox.publishing import publish_events
from hunarmitra.protocol.messages import Message, committed

logger = logging.getLogger(__name__)

RELAY_BATCH = 500

MOST_COUNTED = 10_000
"""Unpublished rows of one table beyond which nobody counts: more is just as bad, and would cost more each time."""


class NotPublishedError(Exception):
    """The relay found events, and no backend took them."""


@dataclass(frozen=True)
class Backlog:
    """What is committed and not published: rows by stream, and the age of the oldest in seconds, 0 without any."""

    rows: Mapping[str, int]
    oldest_age: float


def publish_on_commit(rows: Sequence[OutboxRow]) -> None:
    """Publish these rows, in this order, when the transaction commits; a failure never reaches the caller."""
    transaction.on_commit(lambda: _publish_committed(rows), robust=True)  # no partial: Django logs the __qualname__


def announce_on_commit(message: Message) -> None:
    """Publish a message that is no outbox row (its readers have another way to learn of it)."""
    transaction.on_commit(lambda: publish_events([message]), robust=True)


def _samples() -> bool:
    """Whether clients are asked to acknowledge an event; none that the relay publishes, for those are late anyway."""
    rate = settings.ENVIRONMENT.ack_sample_rate
    return rate > 0 and random.random() < rate  # noqa: S311 - a sample, not a secret


def _publish_committed(rows: Sequence[OutboxRow]) -> None:
    checkpoints.reach("committed, not published")
    now = microseconds_now()
    if publish_events([committed(row.to_message(ack=_samples()), now) for row in rows]):
        checkpoints.reach("published, not marked")
        _mark_published(rows)


def _mark_published(rows: Iterable[OutboxRow]) -> None:
    now = utc_now()
    by_model: dict[type[OutboxRow], list[object]] = {}
    for row in rows:
        by_model.setdefault(type(row), []).append(row.pk)
    for model, keys in by_model.items():
        model._default_manager.filter(pk__in=keys).update(published_at=now)


def outbox_models() -> list[type[OutboxRow]]:
    return [model for model in apps.get_models() if issubclass(model, OutboxRow)]


def relay_once(*, older_than_seconds: float) -> int:
    """Publish rows that were committed but not published. Returns how many. Raises :class:`NotPublishedError`.

    Safe to run in several processes at once: rows are taken with SKIP LOCKED, or, on SQLite, under its one
    write lock. Rows younger than ``older_than_seconds`` are left to the process that wrote them.
    """
    relayed = 0
    for model in outbox_models():
        relayed += _relay_model(model, older_than_seconds)
    return relayed


def backlog() -> Backlog:
    """Two queries for each table, on the index of the unpublished rows, however many those are."""
    rows: dict[str, int] = {}
    oldest = now = utc_now()
    for model in outbox_models():
        unpublished = model._default_manager.filter(published_at=None).order_by("created_at")
        rows[model._meta.app_label] = unpublished[:MOST_COUNTED].count()
        first = unpublished.values_list("created_at", flat=True).first()
        oldest = min(oldest, first or now)
    return Backlog(rows, (now - oldest).total_seconds())


def _relay_model(model: type[OutboxRow], older_than_seconds: float) -> int:
    unpublished = model._default_manager.filter(
        published_at=None, created_at__lt=utc_now() - timedelta(seconds=older_than_seconds)
    )
    if not unpublished.exists():
        return 0
    with transaction.atomic():
        locked = unpublished
        if connection.features.has_select_for_update_skip_locked:
            locked = unpublished.select_for_update(skip_locked=True, of=("self",))
        rows = list(locked.select_related(model.stream_field).order_by(model.stream_field, "seq")[:RELAY_BATCH])
        checkpoints.reach("locked, not relayed")
        if not rows:
            return 0
        if not publish_events([committed(row.to_message(), to_microseconds(row.created_at)) for row in rows]):
            raise NotPublishedError(f"no backend took {len(rows)} {model._meta.verbose_name_plural}")
        _mark_published(rows)
    logger.warning("the relay published %d %s that their process had not", len(rows), model._meta.verbose_name_plural)
    return len(rows)
