"""Bodies of bookings and of their event log."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from rest_framework import serializers

from hunarmitra.bookings.eta import eta_minutes
from hunarmitra.bookings.models import Booking
from hunarmitra.bookings.selectors import details_visible_to
from hunarmitra.common.clock import utc_now
from hunarmitra.locations.estimate import LONGEST_MINUTES
from hunarmitra.protocol.frames import BookingStatusChanged
from hunarmitra.protocol.schemas import EVENT_TYPES
from hunarmitra.protocol.statuses import Status
from hunarmitra_http.fields import Choice, DecimalNumber, Identifier, Moment, PlainText, WholeNumber
from hunarmitra_http.serializers.accounts import PersonSerializer

STATUSES: Final = tuple(status.value for status in Status)
LARGEST_SEQ: Final = 10**18 - 1
PLACES_OF_DEGREES: Final = 6
"""Eleven centimetres on the ground."""
HIGHEST_PRICE: Final = Decimal("99999999.99")


class OrderSerializer(serializers.Serializer[Any]):
    """What a customer asks for."""

    service = PlainText(max_length=120)
    address = PlainText(max_length=400, allow_blank=True, required=False)
    lat = DecimalNumber(-90, 90, PLACES_OF_DEGREES, rounds=True, allow_null=True, required=False)
    lng = DecimalNumber(-180, 180, PLACES_OF_DEGREES, rounds=True, allow_null=True, required=False)
    preferred_time = Moment(allow_null=True, required=False)
    notes = PlainText(newlines=True, max_length=2000, allow_blank=True, required=False)
    estimated_price = DecimalNumber(0, HIGHEST_PRICE, 2, allow_null=True, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs.get("lat") is None) != (attrs.get("lng") is None):
            missing = "lat" if attrs.get("lat") is None else "lng"
            raise serializers.ValidationError({missing: ["lat and lng go together."]})
        return attrs


WITHOUT_DETAILS: Final = {"address": "", "lat": None, "lng": None, "notes": ""}


class BookingSerializer(serializers.Serializer[Booking]):
    """A booking as the user ``reader`` of the context sees it."""

    id = Identifier()
    seq = serializers.IntegerField(help_text="Number of the newest event.")
    status = Choice(STATUSES)
    service = serializers.CharField()
    address = serializers.CharField(allow_blank=True)
    lat = DecimalNumber(-90, 90, PLACES_OF_DEGREES, allow_null=True)
    lng = DecimalNumber(-180, 180, PLACES_OF_DEGREES, allow_null=True)
    preferred_time = Moment(allow_null=True)
    notes = serializers.CharField(allow_blank=True)
    estimated_price = DecimalNumber(0, HIGHEST_PRICE, 2, allow_null=True)
    eta_minutes = serializers.SerializerMethodField()
    owner = PersonSerializer()
    worker = PersonSerializer(allow_null=True)
    created_at = Moment()
    updated_at = Moment()

    def get_eta_minutes(self, booking: Booking) -> int | None:
        return eta_minutes(booking, utc_now())

    def to_representation(self, instance: Booking) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        if not details_visible_to(self.context["reader"], instance, now=utc_now()):
            shown |= WITHOUT_DETAILS
        return shown


class StatusChangeSerializer(serializers.Serializer[Any]):
    status = Choice(STATUSES)
    eta_minutes = WholeNumber(
        1, LONGEST_MINUTES, allow_null=True, required=False, help_text="Minutes until the worker arrives."
    )
    seq = WholeNumber(
        0,
        LARGEST_SEQ,
        allow_null=True,
        required=False,
        help_text="Compare-and-set: 409 unless the booking has this number.",
    )


class AssignmentSerializer(serializers.Serializer[Any]):
    worker_id = Identifier()


class StatusFilterSerializer(serializers.Serializer[Any]):
    status = Choice(STATUSES, required=False)


class EventSerializer(serializers.Serializer[Any]):
    """The frame as connections receive it."""

    type = Choice([BookingStatusChanged.type])
    booking_id = Identifier()
    status = Choice(STATUSES)
    event_type = Choice(EVENT_TYPES)
    actor = serializers.CharField()
    timestamp = Moment()
    seq = serializers.IntegerField()
    eta_minutes = serializers.IntegerField(required=False)


class EventLogSerializer(serializers.Serializer[Any]):
    results = EventSerializer(many=True)
    seq = serializers.IntegerField(help_text="Number of the booking's newest event.")
    pruned_seq = serializers.IntegerField(help_text="Events up to this number are no longer kept; 0 when all are.")
