"""Bodies of positions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from rest_framework import serializers

from hunarmitra.common.clock import utc_now
from hunarmitra_http.fields import Choice, Identifier, Moment, Number


class PositionSerializer(serializers.Serializer[Any]):
    """Degrees (WGS 84) and, unless it is now, when the worker was there."""

    lat = Number(-90, 90)
    lng = Number(-180, 180)
    timestamp = Moment(allow_null=True, required=False)

    def validate_timestamp(self, value: datetime | None) -> datetime | None:
        ahead = settings.ENVIRONMENT.tracking_max_future
        if value is not None and value > utc_now() + timedelta(seconds=ahead):
            raise serializers.ValidationError(f"Must not be more than {ahead:g} seconds in the future.")
        return value


class AcceptedLocationSerializer(serializers.Serializer[Any]):
    lat = Number(-90, 90)
    lng = Number(-180, 180)
    timestamp = Moment(help_text="The time the position goes by: never later than its receipt.")


class TrackingAnswerSerializer(serializers.Serializer[Any]):
    status = Choice(["success"])
    message = serializers.CharField()
    booking_id = Identifier()
    location = AcceptedLocationSerializer()


class LocationSerializer(serializers.Serializer[Any]):
    """Where the worker was last."""

    booking_id = Identifier()
    lat = Number(-90, 90)
    lng = Number(-180, 180)
    timestamp = Moment()
    actor = serializers.CharField()
    eta_minutes = serializers.IntegerField(required=False)
