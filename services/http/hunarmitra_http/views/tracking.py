"""The worker's location: post it, read it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from hunarmitra.bookings import wire
from hunarmitra.bookings.services import is_tracked
from hunarmitra.tracking.answers import accepted_answer
from hunarmitra.tracking.locations import AcceptedLocation
from hunarmitra.tracking.services import newest_accepted
from hunarmitra_http import failures
from hunarmitra_http.authentication import identity_of_request, user_of_request
from hunarmitra_http.serializers.tracking import (
    LocationSerializer,
    ReadingSerializer,
    TrackingAnswerSerializer,
    readings_of,
)
from hunarmitra_http.views.base import ApiView
from hunarmitra_http.views.bookings import visible_booking

_BODY = PolymorphicProxySerializer(
    component_name="Locations",
    serializers=[ReadingSerializer, ReadingSerializer(many=True)],
    resource_type_field_name=None,
    many=False,
)


class TrackingView(ApiView):
    refusals = {"POST": (403, 409)}
    counts_failures = True
    """Its posts have no other limit while they fail."""

    def get_throttles(self) -> list[BaseThrottle]:
        """Locations have a limit for each booking; the user's limit would stop a worker within the hour."""
        return [] if self.request.method == "POST" else super().get_throttles()

    @extend_schema(request=_BODY, responses={200: TrackingAnswerSerializer})
    def post(self, request: Request, booking_id: UUID) -> Response:
        """Post the worker's location: assigned worker and staff, at most once in two seconds for a booking.

        An array of up to 500 locations in any order is accepted too; the newest counts.
        """
        failures.reject_repeated(failures.invisible_booking(identity_of_request(request), booking_id))
        readings = readings_of(request.data)
        accepted = newest_accepted(
            booking_id=booking_id,
            user=user_of_request(request),
            identity=identity_of_request(request),
            readings=readings,
        )
        if not isinstance(accepted, AcceptedLocation):
            raise accepted
        answer: dict[str, Any] = accepted_answer(booking_id, accepted)
        if isinstance(request.data, list):
            answer |= {"accepted": 1, "dropped": len(request.data) - 1}
        return Response(answer)

    @extend_schema(responses={200: LocationSerializer})
    def get(self, request: Request, booking_id: UUID) -> Response:
        """The worker's last location; 404 when there is none or the booking is over."""
        booking = visible_booking(request, booking_id)
        frame = wire.stored_location_frame(booking) if is_tracked(booking) else None
        if frame is None:
            raise NotFound("No location is known.", code="no_position")
        body = frame.to_wire()
        del body["type"]
        return Response(body)
