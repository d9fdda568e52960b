"""Bodies of locations."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from rest_framework import serializers

from hunarmitra.common.clock import utc_now
from hunarmitra.tracking.locations import (
    HIGHEST_HEADING,
    HIGHEST_SPEED,
    MOST_READINGS,
    WORST_ACCURACY,
    Reading,
)
from hunarmitra_http.fields import Choice, Identifier, Moment, Number

ACCURACY_HELP: Final = "Radius in metres in which the phone is with a probability of 68 %."
HEADING_HELP: Final = "Degrees clockwise from north."
SPEED_HELP: Final = "Metres per second."


class ReadingSerializer(serializers.Serializer[Any]):
    """A location in degrees (WGS 84). `timestamp` is when the worker was there, by default now."""

    lat = Number(-90, 90)
    lng = Number(-180, 180)
    timestamp = Moment(allow_null=True, required=False)
    accuracy = Number(0, WORST_ACCURACY, allow_null=True, required=False, help_text=ACCURACY_HELP)
    heading = Number(0, HIGHEST_HEADING, below=True, allow_null=True, required=False, help_text=HEADING_HELP)
    speed = Number(0, HIGHEST_SPEED, allow_null=True, required=False, help_text=SPEED_HELP)

    def validate_timestamp(self, value: datetime | None) -> datetime | None:
        ahead = settings.ENVIRONMENT.tracking_max_future
        if value is not None and value > utc_now() + timedelta(seconds=ahead):
            raise serializers.ValidationError(f"Must not be more than {ahead:g} seconds in the future.")
        return value


def readings_of(data: Any) -> list[Reading]:
    """Return the readings of a body: one object, or up to 500 in an array.

    Of an array, a location with a timestamp in the future is dropped unless all have one. Raises ValidationError.
    """
    if not isinstance(data, list):
        return [_reading(data)]
    if not 1 <= len(data) <= MOST_READINGS:
        raise serializers.ValidationError({"non_field_errors": [f"Must have 1 to {MOST_READINGS} locations."]})
    readings, errors = [], []
    for item in data:
        try:
            readings.append(_reading(item))
        except serializers.ValidationError as error:
            if set(error.detail) != {"timestamp"}:
                raise
            errors.append(error)
    if not readings:
        raise errors[0]
    return readings


def _reading(data: Any) -> Reading:
    serializer = ReadingSerializer(data=data)
    serializer.is_valid(raise_exception=True)
    return Reading(**serializer.validated_data)


class AcceptedLocationSerializer(serializers.Serializer[Any]):
    lat = Number(-90, 90)
    lng = Number(-180, 180)
    timestamp = Moment(help_text="The time that the location counts as of: never later than its receipt.")
    accuracy = Number(0, WORST_ACCURACY, required=False, help_text=ACCURACY_HELP)
    heading = Number(0, HIGHEST_HEADING, required=False, help_text=HEADING_HELP)
    speed = Number(0, HIGHEST_SPEED, required=False, help_text=SPEED_HELP)
    uncertain = serializers.BooleanField(required=False, help_text="`true` for a location too vague for a marker.")


class TrackingAnswerSerializer(serializers.Serializer[Any]):
    status = Choice(["success"])
    message = serializers.CharField()
    booking_id = Identifier()
    location = AcceptedLocationSerializer()
    next_in_ms = serializers.IntegerField(help_text="When the server wants the next location, in milliseconds.")
    eta_minutes = serializers.IntegerField(required=False)
    accepted = serializers.IntegerField(required=False, help_text="Of an array: 1.")
    dropped = serializers.IntegerField(required=False, help_text="Of an array: how many locations did not count.")


class LocationSerializer(serializers.Serializer[Any]):
    """The worker's last location."""

    booking_id = Identifier()
    lat = Number(-90, 90)
    lng = Number(-180, 180)
    timestamp = Moment()
    actor = serializers.CharField()
    eta_minutes = serializers.IntegerField(required=False)
    accuracy = Number(0, WORST_ACCURACY, required=False, help_text=ACCURACY_HELP)
    heading = Number(0, HIGHEST_HEADING, required=False, help_text=HEADING_HELP)
    speed = Number(0, HIGHEST_SPEED, required=False, help_text=SPEED_HELP)
    uncertain = serializers.BooleanField(required=False, help_text="`true` for a location too vague for a marker.")
