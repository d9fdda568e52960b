"""Who may call a view at all; what they may do to a booking is the domain's to judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from hunarmitra.accounts.models import Role
from hunarmitra_http.authentication import user_of_request

if TYPE_CHECKING:
    # At run time REST framework's views are still being imported when they import this module.
    from rest_framework.views import APIView


class IsStaff(IsAuthenticated):
    message = "Only staff may do this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return super().has_permission(request, view) and user_of_request(request).effective_role == Role.ADMIN
