"""Bodies of notifications."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from hunarmitra.notifications.models import Notification
from hunarmitra_http.fields import Choice, Identifier, Moment


class NotificationSerializer(serializers.Serializer[Notification]):
    """The frame as connections receive it, and whether it was read."""

    seq = serializers.IntegerField()
    id = Identifier()
    title = serializers.CharField()
    message = serializers.CharField()
    data = serializers.DictField(child=serializers.JSONField())  # type: ignore[assignment]
    created_at = Moment()
    read_at = Moment(allow_null=True)


class UnreadFilterSerializer(serializers.Serializer[Any]):
    unread = Choice(["true", "false"], required=False)


class MarkedSerializer(serializers.Serializer[Any]):
    updated = serializers.IntegerField(help_text="How many were unread.")
