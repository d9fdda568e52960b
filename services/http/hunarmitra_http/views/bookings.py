"""Bookings, their status, their worker and their event log."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from hunarmitra.bookings import wire
from hunarmitra.bookings.errors import NotVisibleError
from hunarmitra.bookings.models import Booking
from hunarmitra.bookings.selectors import (
    booking_visible_to,
    bookings_visible_by_role,
    bookings_visible_to,
    events_after,
)
from hunarmitra.bookings.services import BookingOrder, booking_assign, booking_create, booking_status_change
from hunarmitra.protocol.statuses import Status
from hunarmitra_http.authentication import user_of_request
from hunarmitra_http.cursors import CursorOrder, identifier_key, newest_first_key
from hunarmitra_http.serializers.bookings import (
    STATUSES,
    AssignmentSerializer,
    BookingSerializer,
    EventLogSerializer,
    OrderSerializer,
    StatusChangeSerializer,
    StatusFilterSerializer,
)
from hunarmitra_http.views.base import ApiView, ListView, checked

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotency-Replayed"
IDEMPOTENCY_PATTERN: Final = "^[!-~]{1,200}$"
SINCE_PATTERN: Final = "^[0-9]{1,18}$"


def visible_booking(request: Request, booking_id: UUID) -> Booking:
    """Return the booking. Raises NotVisibleError, answered with 404."""
    booking = booking_visible_to(user_of_request(request), booking_id)
    if booking is None:
        raise NotVisibleError("No such booking.")
    return booking


def _booking_response(request: Request, booking: Booking, *, status: int = 200) -> Response:
    seen = BookingSerializer(booking, context={"reader": user_of_request(request)})
    return Response(seen.data, status=status)


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get(IDEMPOTENCY_HEADER)
    if key is not None and not re.fullmatch(IDEMPOTENCY_PATTERN, key):
        raise ValidationError({IDEMPOTENCY_HEADER: ["Must be 1 to 200 visible ASCII characters."]})
    return key


class BookingsView(ListView):
    refusals = {"GET": (400,), "POST": (403, 409)}
    cursor_order = CursorOrder("bookings", newest_first_key("created_at"), identifier_key())

    @extend_schema(
        parameters=[OpenApiParameter("status", enum=list(STATUSES), description="Only bookings of this status.")],
        responses={200: BookingSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        """The bookings that the user owns or works on, newest first; all of them for staff."""
        user = user_of_request(request)
        chosen = checked(StatusFilterSerializer, request.query_params.dict())  # {"status": …} or empty
        parts = [part.filter(**chosen) for part in bookings_visible_by_role(user)]
        rows = bookings_visible_to(user).filter(**chosen)
        return self.page_of(rows, BookingSerializer, parts=parts, context={"reader": user})

    @extend_schema(
        request=OrderSerializer,
        responses={201: BookingSerializer},
        parameters=[
            OpenApiParameter(
                IDEMPOTENCY_HEADER,
                location=OpenApiParameter.HEADER,
                pattern=IDEMPOTENCY_PATTERN,
                description="A repeated request with the same key creates no second booking and gets the same "
                "response.",
            ),
            OpenApiParameter(
                REPLAYED_HEADER,
                location=OpenApiParameter.HEADER,
                response=[201],
                enum=["true"],
                description="The key was used before; this is the booking of the first request.",
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Create a booking, owned by the user. Not for workers."""
        key = _idempotency_key(request)
        order = BookingOrder(**checked(OrderSerializer, request.data))
        booking, new = booking_create(owner=user_of_request(request), order=order, idempotency_key=key)
        response = _booking_response(request, booking, status=201)
        if not new:
            response[REPLAYED_HEADER] = "true"
        return response


class BookingView(ApiView):
    @extend_schema(responses={200: BookingSerializer})
    def get(self, request: Request, booking_id: UUID) -> Response:
        """One booking."""
        return _booking_response(request, visible_booking(request, booking_id))


class BookingStatusView(ApiView):
    refusals = {"PATCH": (403, 409)}

    @extend_schema(request=StatusChangeSerializer, responses={200: BookingSerializer})
    def patch(self, request: Request, booking_id: UUID) -> Response:
        """Change the status. The current status changes nothing and is not an error."""
        change = checked(StatusChangeSerializer, request.data)
        booking = booking_status_change(
            booking_id=booking_id,
            user=user_of_request(request),
            status=Status(change["status"]),
            eta_minutes=change.get("eta_minutes"),
            expected_seq=change.get("seq"),
        )
        return _booking_response(request, booking)


class BookingAssignView(ApiView):
    refusals = {"POST": (403, 409)}

    @extend_schema(request=AssignmentSerializer, responses={200: BookingSerializer})
    def post(self, request: Request, booking_id: UUID) -> Response:
        """Assign a worker, which confirms a requested booking. Staff only."""
        worker_id: UUID = checked(AssignmentSerializer, request.data)["worker_id"]
        booking = booking_assign(booking_id=booking_id, staff=user_of_request(request), worker_id=worker_id)
        return _booking_response(request, booking)


class BookingEventsView(ApiView):
    refusals = {"GET": (400,)}

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "since", OpenApiTypes.STR, pattern=SINCE_PATTERN, description="Only events after this number."
            )
        ],
        responses={200: EventLogSerializer},
    )
    def get(self, request: Request, booking_id: UUID) -> Response:
        """The numbered event log, in order."""
        since = request.query_params.get("since", "0")
        if not re.fullmatch(SINCE_PATTERN, since):
            raise ValidationError({"since": ["Must be a number of at most 18 digits."]})
        booking = visible_booking(request, booking_id)
        # Leave out events that are newer than the booking as read, so that `seq` is the number of the last one.
        events = events_after(booking_id, int(since)).filter(seq__lte=booking.seq)
        results = [wire.status_frame(event).to_wire() for event in events]
        return Response({"results": results, "seq": booking.seq, "pruned_seq": booking.pruned_seq})
