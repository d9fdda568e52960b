"""One view: what a request costs before anything is done with it."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class BareView(APIView):
    def post(self, request: Request, booking_id: str) -> Response:
        body: Any = request.data
        return Response({"status": "success", "lat": body["lat"], "lng": body["lng"]})


urlpatterns = [path("api/v1/tracking/<uuid:booking_id>/", BareView.as_view())]
