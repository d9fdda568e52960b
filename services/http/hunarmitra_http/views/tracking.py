"""Where the worker is."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from hunarmitra.bookings import wire
from hunarmitra.bookings.services import is_tracked
from hunarmitra.common.clock import to_wire
from hunarmitra.tracking.services import position_accept
from hunarmitra_http.authentication import user_of_request
from hunarmitra_http.serializers.tracking import (
    LocationSerializer,
    PositionSerializer,
    TrackingAnswerSerializer,
)
from hunarmitra_http.views.base import ApiView, checked
from hunarmitra_http.views.bookings import visible_booking


class TrackingView(ApiView):
    refusals = {"POST": (403, 409)}

    def get_throttles(self) -> list[BaseThrottle]:
        """Positions have a limit of their own, for each booking; the user's would stop a worker within the hour."""
        return [] if self.request.method == "POST" else super().get_throttles()

    @extend_schema(request=PositionSerializer, responses={200: TrackingAnswerSerializer})
    def post(self, request: Request, booking_id: UUID) -> Response:
        """Post the worker's position: assigned worker and staff, at most once in two seconds for a booking."""
        position = checked(PositionSerializer, request.data)
        accepted = position_accept(
            booking_id=booking_id,
            user=user_of_request(request),
            lat=position["lat"],
            lng=position["lng"],
            timestamp=position.get("timestamp"),
        )
        return Response(
            {
                "status": "success",
                "message": "Location updated",
                "booking_id": str(booking_id),
                "location": {"lat": accepted.lat, "lng": accepted.lng, "timestamp": to_wire(accepted.moment)},
            }
        )

    @extend_schema(responses={200: LocationSerializer})
    def get(self, request: Request, booking_id: UUID) -> Response:
        """The worker's last position; 404 when there is none or the booking is over."""
        booking = visible_booking(request, booking_id)
        frame = wire.stored_location_frame(booking) if is_tracked(booking) else None
        if frame is None:
            raise NotFound("No position is known.", code="no_position")
        body = frame.to_wire()
        del body["type"]
        return Response(body)
