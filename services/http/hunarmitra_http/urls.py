"""The paths of the REST API, of its description and of the admin. Each ends in a slash; without it is 404."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path, register_converter
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView

from hunarmitra_http.admin import own_password, sign_in_page
from hunarmitra_http.converters import IdConverter
from hunarmitra_http.errors import not_found
from hunarmitra_http.views.accounts import MeView, TicketsView, WorkersView
from hunarmitra_http.views.auth import LogoutView, RefreshView, TokenView, VerifyView
from hunarmitra_http.views.bookings import (
    BookingAssignView,
    BookingEventsView,
    BookingStatusView,
    BookingsView,
    BookingView,
)
from hunarmitra_http.views.documents import RestDocumentView, SocketsDocumentView
from hunarmitra_http.views.notifications import MarkAllReadView, MarkReadView, NotificationsView
from hunarmitra_http.views.schema import AsyncApiView, SchemaView
from hunarmitra_http.views.tracking import TrackingView

register_converter(IdConverter, "id")

api_v1: list[URLPattern] = [
    path("auth/token/", TokenView.as_view()),
    path("auth/refresh/", RefreshView.as_view()),
    path("auth/verify/", VerifyView.as_view()),
    path("auth/logout/", LogoutView.as_view()),
    path("users/me/", MeView.as_view()),
    path("workers/", WorkersView.as_view()),
    path("realtime/tickets/", TicketsView.as_view()),
    path("bookings/", BookingsView.as_view()),
    path("bookings/<id:booking_id>/", BookingView.as_view()),
    path("bookings/<id:booking_id>/status/", BookingStatusView.as_view()),
    path("bookings/<id:booking_id>/assign/", BookingAssignView.as_view()),
    path("bookings/<id:booking_id>/events/", BookingEventsView.as_view()),
    path("tracking/<id:booking_id>/", TrackingView.as_view()),
    path("notifications/", NotificationsView.as_view()),
    path("notifications/mark_all_read/", MarkAllReadView.as_view()),
    path("notifications/<id:notification_id>/mark_read/", MarkReadView.as_view()),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include(api_v1)),
    path("api/schema/", SchemaView.as_view()),
    path("api/docs/", RestDocumentView.as_view()),
    path("api/asyncapi/", AsyncApiView.as_view()),
    path("api/asyncapi/docs/", SocketsDocumentView.as_view()),
    # Exempt, or a POST to a wrong path would be refused for want of a CSRF token, in HTML.
    re_path(r"^api/", csrf_exempt(not_found)),
    path("admin/login/", sign_in_page),
    path("admin/password_change/", admin.site.admin_view(own_password)),
    path("admin/", admin.site.urls),
    path("admin", RedirectView.as_view(url="/admin/")),
]
if settings.ENVIRONMENT.serves_page:
    urlpatterns.append(path("", include("hunarmitra_http.page.urls")))
