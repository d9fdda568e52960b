"""Tables of event delivery: the outbox columns that every numbered row has, and revocations."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from hunarmitra.protocol.messages import Message
from hunarmitra.telemetry import tracing


class OutboxRow(models.Model):
    """A numbered event that was written in the transaction of the change it tells of.

    ``published_at`` stays NULL until the event was handed to Redis; the relay looks for NULL rather than for
    ids above a watermark, because ids become visible out of order when transactions overlap.
    """

    seq = models.BigIntegerField()
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    traceparent = models.CharField(  # noqa: DJ001 - NULL, as almost always, costs a row nothing
        max_length=tracing.TRACEPARENT_LENGTH, null=True, default=tracing.current_traceparent, editable=False
    )
    """The trace that the change is part of, if it is recorded, for the relay to go on with."""

    class Meta:
        abstract = True

    stream_field: ClassVar[str]
    """Name of the foreign key within which ``seq`` counts."""

    def to_message(self, *, ack: bool = False) -> Message:
        """``ack``: clients are asked to say when they have processed it."""
        raise NotImplementedError


class Counter(models.Model):
    """A number that increases by one in commit order: its row stays locked until the transaction ends."""

    name = models.CharField(primary_key=True, max_length=40)
    value = models.BigIntegerField(default=0)


class Revocation(models.Model):
    """A right that ended, numbered so that a process knows what it has not heard of yet."""

    number = models.BigIntegerField(primary_key=True)
    kind = models.CharField(max_length=12)
    subject = models.UUIDField(help_text="The session or the user.")
    booking = models.UUIDField(null=True, help_text="For an assignment: the booking it was for.")
    created_at = models.DateTimeField(db_index=True)
