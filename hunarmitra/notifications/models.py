"""Notifications of a user."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from hunarmitra.accounts.models import User
from hunarmitra.common.clock import to_wire
from hunarmitra.outbox.models import OutboxRow
from hunarmitra.protocol import channels, messages
from hunarmitra.protocol.frames import OMIT, NotificationCreated, encode
from hunarmitra.protocol.messages import Message


class Notification(OutboxRow):
    """``seq`` is 1, 2, 3 … for each user without a gap; pruned rows are always a user's oldest."""

    stream_field: ClassVar[str] = "user"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notifications")
    title = models.CharField(max_length=120)
    message = models.CharField(max_length=400)
    data = models.JSONField(default=dict)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["user", "-seq"]
        constraints = [models.UniqueConstraint(fields=["user", "seq"], name="notification_seq")]
        indexes = [
            models.Index(fields=["user"], name="notification_unread", condition=models.Q(read_at__isnull=True)),
            models.Index(
                fields=["created_at"], name="notification_unpublished", condition=models.Q(published_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def to_frame(self, *, ack: bool = False) -> NotificationCreated:
        return NotificationCreated(
            seq=self.seq,
            id=str(self.pk),
            title=self.title,
            message=self.message,
            data=self.data,
            created_at=to_wire(self.created_at),
            ack=True if ack else OMIT,
        )

    def to_message(self, *, ack: bool = False) -> Message:
        return messages.status_message(
            channels.user_channel(self.user_id),
            seq=self.seq,
            frame=encode(self.to_frame(ack=ack)),
            ack=ack,
            origin=self.traceparent,
        )
