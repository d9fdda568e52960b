"""Notifications of the user."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from hunarmitra.notifications.selectors import notifications_of
from hunarmitra.notifications.services import notification_mark_read, notifications_mark_all_read
from hunarmitra_http.authentication import user_of_request
from hunarmitra_http.cursors import CursorOrder, highest_first_key
from hunarmitra_http.languages import label, language_of
from hunarmitra_http.serializers.notifications import MarkedSerializer, NotificationSerializer, UnreadFilterSerializer
from hunarmitra_http.views.base import ApiView, ListView, checked


class NotificationsView(ListView):
    refusals = {"GET": (400,)}
    cursor_order = CursorOrder("notifications", highest_first_key("seq"))

    @extend_schema(
        parameters=[OpenApiParameter("unread", enum=["true", "false"], description="Only unread, or only read ones.")],
        responses={200: NotificationSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        """The user's notifications, newest first."""
        notifications = notifications_of(user_of_request(request).pk)
        if unread := checked(UnreadFilterSerializer, request.query_params.dict()).get("unread"):
            notifications = notifications.filter(read_at__isnull=unread == "true")
        language = language_of(request)
        response = self.page_of(notifications, NotificationSerializer, context={"language": language})
        label(response, language)
        return response


class MarkReadView(ApiView):
    @extend_schema(request=None, responses={200: NotificationSerializer})
    def patch(self, request: Request, notification_id: UUID) -> Response:
        """Mark one notification as read. Repeating it changes nothing."""
        user_id = user_of_request(request).pk
        notification = notification_mark_read(user_id=user_id, notification_id=notification_id)
        if notification is None:
            raise NotFound("No such notification.")
        language = language_of(request)
        response = Response(NotificationSerializer(notification, context={"language": language}).data)
        label(response, language)
        return response


class MarkAllReadView(ApiView):
    @extend_schema(request=None, responses={200: MarkedSerializer})
    def patch(self, request: Request) -> Response:
        """Mark all notifications as read."""
        return Response({"updated": notifications_mark_all_read(user_id=user_of_request(request).pk)})
