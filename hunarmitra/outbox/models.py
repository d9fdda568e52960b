"""Tables of event delivery: the outbox columns that every numbered row has, and revocations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Self

from django.apps import apps
from django.db import connection, models

from hunarmitra.common.clock import utc_now
from hunarmitra.database import prepared
from hunarmitra.protocol.messages import Message
from hunarmitra.telemetry import tracing


class OutboxRow(models.Model):
    """A numbered event, written in the transaction of the change that it describes.

    ``published_at`` stays NULL until Redis took the event. The relay looks for NULL and not for ids above a
    watermark, because ids become visible out of order when transactions overlap. ``quarantined_at`` is set on an
    event that cannot be rendered: the relay leaves it alone, and an alert reports it.
    """

    seq = models.BigIntegerField()
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    quarantined_at = models.DateTimeField(null=True, blank=True, editable=False)
    traceparent = models.CharField(  # noqa: DJ001 - NULL, the usual value, takes no space
        max_length=tracing.TRACEPARENT_LENGTH, null=True, default=tracing.current_traceparent, editable=False
    )
    """The recorded trace that the change belongs to, so that the relay can continue it."""

    class Meta:
        abstract = True

    stream_field: ClassVar[str]
    """Name of the foreign key within which ``seq`` counts."""

    @classmethod
    def unpublished(cls) -> models.QuerySet[Self]:
        """Rows that wait for the relay. Quarantined rows do not."""
        return cls._default_manager.filter(published_at=None, quarantined_at=None)

    @classmethod
    def quarantined(cls) -> models.QuerySet[Self]:
        """Unpublished rows that could not be rendered; the condition uses the index of the unpublished rows."""
        return cls._default_manager.filter(published_at=None, quarantined_at__isnull=False)

    def to_message(self, *, ack: bool = False) -> Message:
        """Render the row for the channel layer. ``ack`` asks clients to acknowledge the event."""
        raise NotImplementedError


def outbox_models() -> list[type[OutboxRow]]:
    """Every table with outbox columns."""
    return [model for model in apps.get_models() if issubclass(model, OutboxRow)]


def mark_published(rows: Iterable[OutboxRow]) -> None:
    """Record that a backend took these rows.

    PostgreSQL does so in one round trip, and does not wait for the disk: if it crashes, the relay publishes them again.
    """
    now = utc_now()
    by_model: dict[type[OutboxRow], list[object]] = {}
    for row in rows:
        by_model.setdefault(type(row), []).append(row.pk)
    if not by_model:
        return
    if connection.vendor != "postgresql":
        for model, keys in by_model.items():
            model._default_manager.filter(pk__in=keys).update(published_at=now)
        return
    updates, parameters = [], []
    for number, (model, keys) in enumerate(by_model.items()):
        table = model._meta.db_table
        updates.append(f"t{number} AS (UPDATE {table} SET published_at = %s WHERE id = ANY(%s))")  # noqa: S608 - names
        parameters += [now, keys]
    statement = f"WITH {', '.join(updates)} SELECT set_config('synchronous_commit', 'off', true)"
    prepared.execute(statement, parameters)


class Counter(models.Model):
    """A number that increases by one in commit order: its row stays locked until the transaction ends."""

    name = models.CharField(primary_key=True, max_length=40)
    value = models.BigIntegerField(default=0)


class Revocation(models.Model):
    """A right that ended. The number lets a process read the revocations that it has not handled yet."""

    number = models.BigIntegerField(primary_key=True)
    kind = models.CharField(max_length=12)
    subject = models.UUIDField(help_text="The session or the user.")
    booking = models.UUIDField(null=True, help_text="For an assignment: the booking it was for.")
    created_at = models.DateTimeField(db_index=True)
