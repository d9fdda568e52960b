"""The admin's site: who may open its pages, now that a second factor may be needed (ADMIN_SECOND_FACTOR)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path


def second_factor_is_used() -> bool:
    """Whether the admin asks for codes at all."""
    return str(settings.ENVIRONMENT.admin_second_factor) != "off"


class StaffSite(admin.AdminSite):
    site_header = site_title = "HunarMitra"
    index_title = "Support"
    login_template = "hunarmitra_http/admin_login.html"

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether this is staff who gave a code at the sign-in, if they have a device or one is required."""
        return super().has_permission(request) and not self.owes_code(request)

    def owes_code(self, request: HttpRequest) -> bool:
        """Whether the session began with a password alone, and that does not suffice."""
        # OTPMiddleware adds the method to every user.
        if not second_factor_is_used() or request.user.is_verified():  # type: ignore[union-attr]
            return False
        return settings.ENVIRONMENT.admin_second_factor == "required" or self._has_device(request)

    def may_set_up(self, request: HttpRequest) -> bool:
        """Whether this is staff who may do nothing but set up a second factor."""
        return super().has_permission(request) and self.owes_code(request) and not self._has_device(request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().each_context(request), "second_factor_is_used": second_factor_is_used()}

    def get_urls(self) -> list[URLPattern | URLResolver]:
        from hunarmitra_http.admin_second_factor import second_factor_page

        own = [path("second-factor/", second_factor_page, name="second_factor"), path("logout/", self._sign_out)]
        return [*own, *super().get_urls()]

    def _sign_out(self, request: HttpRequest) -> HttpResponseBase:
        """Also for staff who may not open any page yet; Django only redirects them."""
        view = self.logout if self.may_set_up(request) else self.admin_view(self.logout)
        return view(request)

    @staticmethod
    def _has_device(request: HttpRequest) -> bool:
        from hunarmitra.second_factor.selectors import device_of

        assert request.user.pk is not None
        return device_of(request.user.pk) is not None
