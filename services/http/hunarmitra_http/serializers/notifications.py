"""Bodies of notifications."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from hunarmitra.notifications.models import Notification
from hunarmitra_http.fields import Choice, Identifier, Moment
from hunarmitra_http.languages import notification_texts


class NotificationSerializer(serializers.Serializer[Notification]):
    """The frame as connections receive it, and whether it was read."""

    seq = serializers.IntegerField()
    id = Identifier()
    title = serializers.CharField()
    message = serializers.CharField()
    data = serializers.DictField(child=serializers.JSONField())  # type: ignore[assignment]
    created_at = Moment()
    read_at = Moment(allow_null=True)

    def to_representation(self, instance: Notification) -> Any:
        """Write title and message in the ``language`` of the context."""
        row = super().to_representation(instance)
        language = self.context.get("language", "en")
        row["title"], row["message"] = notification_texts(row["title"], row["message"], instance.data, language)
        return row


class UnreadFilterSerializer(serializers.Serializer[Any]):
    unread = Choice(["true", "false"], required=False)


class MarkedSerializer(serializers.Serializer[Any]):
    updated = serializers.IntegerField(help_text="How many were unread.")
