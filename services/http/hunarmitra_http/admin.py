"""Django's admin for support staff: bookings with their history to read, users to help.

Staff read what Django's permissions allow them: the group "Dispatchers" may read everything here. Only the domain's
services write, so that every click closes the right connections and keeps the numbers correct. Bookings and users are
never deleted: users are deactivated.
"""

from __future__ import annotations

from typing import Any

import django_otp.plugins.otp_totp.admin  # noqa: F401 - these register what is unregistered below
import rest_framework_simplejwt.token_blacklist.admin  # noqa: F401
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.contrib.auth.views import PasswordChangeView
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse_lazy
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from hunarmitra.accounts import services
from hunarmitra.accounts.models import User
from hunarmitra.bookings.models import Booking, BookingEvent
from hunarmitra.notifications.models import Notification
from hunarmitra.second_factor.selectors import state_of
from hunarmitra.second_factor.services import device_remove
from hunarmitra_http.admin_forms import (
    NewUserForm,
    OwnPasswordForm,
    PasswordOfOtherForm,
    UserForm,
)
from hunarmitra_http.admin_log import LoggedMixin
from hunarmitra_http.admin_sign_in import SignInForm, say_when
from hunarmitra_http.admin_site import StaffSite, second_factor_is_used
from hunarmitra_http.devices import remember_device

admin.site.login_form = SignInForm
# They show whatever the column has: complete refresh tokens, where an older version stored them.
admin.site.unregister([BlacklistedToken, OutstandingToken])
# It shows the secret of a device, and adds one to anybody.
admin.site.unregister(TOTPDevice)


def own_password(request: HttpRequest) -> HttpResponseBase:
    """Replace the admin site's own view, whose form cannot be configured."""
    view = PasswordChangeView.as_view(
        form_class=OwnPasswordForm,
        success_url=reverse_lazy("admin:password_change_done"),
        extra_context=admin.site.each_context(request),
    )
    return view(request)


def sign_in_page(request: HttpRequest) -> HttpResponseBase:
    """Django's sign-in page. A refused attempt is 429, and a successful one makes the device known.

    Staff who are signed in, and need a second factor first, go to the page that adds it.
    """
    if request.method == "GET" and isinstance(admin.site, StaffSite) and admin.site.may_set_up(request):
        return redirect("admin:second_factor")
    response = admin.site.login(request)
    if isinstance(response, TemplateResponse):
        say_when(response, (response.context_data or {}).get("form"))
    elif request.method == "POST" and response.status_code == 302 and isinstance(request.user, User):
        remember_device(request, response, request.user)
    return response


class ReadOnlyMixin:
    """Read-only, for those with Django's permission to view: nothing is added, changed or deleted."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class EventInline(ReadOnlyMixin, admin.TabularInline):  # type: ignore[type-arg]
    model = BookingEvent
    ordering = ["seq"]
    readonly_fields = ("seq", "event_type", "status", "actor", "acted_by", "eta_minutes", "created_at", "published_at")
    fields = readonly_fields
    extra = 0
    can_delete = False


@admin.register(Booking)
class BookingAdmin(ReadOnlyMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["service", "status", "owner", "worker", "created_at", "id"]
    list_filter = ["status", "created_at"]
    list_select_related = ["owner", "worker"]
    search_fields = ["=id", "service", "address", "owner__name", "owner__username", "worker__name", "worker__username"]
    date_hierarchy = "created_at"
    ordering = ["-created_at", "id"]
    show_full_result_count = False
    inlines = [EventInline]
    fieldsets = [
        (None, {"fields": ["id", "status", "seq", "owner", "worker"]}),
        ("Order", {"fields": ["service", "address", "lat", "lng", "preferred_time", "notes", "estimated_price"]}),
        ("Worker's location", {"fields": ["location_lat", "location_lng", "location_at", "eta_minutes"]}),
        ("History", {"fields": ["created_at", "updated_at", "finished_at", "pruned_seq"]}),
    ]


@admin.register(Notification)
class NotificationAdmin(ReadOnlyMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["user", "seq", "title", "message", "created_at", "read_at"]
    list_select_related = ["user"]
    search_fields = ["user__name", "user__username"]
    ordering = ["-created_at", "id"]
    show_full_result_count = False
    fields = ["user", "seq", "title", "message", "data", "created_at", "read_at", "published_at"]


admin.site.unregister(Group)


@admin.register(Group)
class PermissionsAdmin(LoggedMixin, GroupAdmin):
    """Groups of permissions, for superusers."""


@admin.register(User)
class PersonAdmin(LoggedMixin, UserAdmin):  # type: ignore[type-arg]
    """Django's permissions allow to read, and to change names and deactivate; superusers also grant rights."""

    form = UserForm
    add_form = NewUserForm
    change_password_form = PasswordOfOtherForm
    list_display = ["username", "name", "role", "is_active", "is_staff", "date_joined"]
    list_filter = ["role", "is_active", "is_staff"]
    search_fields = ["=id", "username", "name", "phone", "email"]
    ordering = ["username"]
    actions = ["sign_out", "deactivate", "remove_second_factor"]
    readonly_fields = ["id", "last_login", "date_joined", "notification_seq", "second_factor"]
    fieldsets = [
        (None, {"fields": ["id", "username", "password", "second_factor", "name", "phone", "email"]}),
        ("Rights", {"fields": ["role", "is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        ("History", {"fields": ["last_login", "date_joined", "notification_seq"]}),
    ]
    add_fieldsets = [(None, {"fields": ["username", "name", "role", "usable_password", "password1", "password2"]})]
    rights = ("role", "is_staff", "is_superuser", "groups", "user_permissions")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only superusers: a new user can get any role."""
        return bool(getattr(request.user, "is_superuser", False))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only superusers change staff: otherwise changing a superuser's password would give all rights."""
        if not super().has_change_permission(request, obj):
            return False
        return obj is None or getattr(request.user, "is_superuser", False) or not _has_rights(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = [str(name) for name in super().get_readonly_fields(request, obj)]
        return fields if getattr(request.user, "is_superuser", False) else [*fields, *self.rights]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save only changed columns: ``notification_seq`` may have changed since the form was loaded."""
        if not change:
            obj.is_staff = obj.is_superuser = obj.role == "admin"
            obj.save()
            return
        changed = set(form.changed_data) - {"groups", "user_permissions", "password"}
        through_services = changed & {"is_active", "is_staff", "role"}
        if columns := changed - through_services:
            obj.save(update_fields=sorted(columns))
        if "role" in through_services:
            services.user_set_role(user_id=obj.pk, role=obj.role)
        if "is_staff" in through_services:
            services.user_set_staff(user_id=obj.pk, staff=obj.is_staff)
        if "is_active" in through_services:
            services.user_set_active(user_id=obj.pk, active=obj.is_active)

    @admin.action(description="Sign out everywhere", permissions=["change"])
    def sign_out(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        users = self._changeable(request, queryset)
        sessions = 0
        for user in users:
            sessions += services.user_sign_out(user_id=user.pk)
            self.log_change(request, user, "Signed out everywhere.", outcome="sign_out")
        self.message_user(request, f"{sessions} sessions of {len(users)} users ended.", messages.SUCCESS)

    @admin.action(description="Deactivate", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        users = self._changeable(request, queryset)
        for user in users:
            services.user_set_active(user_id=user.pk, active=False)
            self.log_change(request, user, "Deactivated.", outcome="deactivate")
        self.message_user(request, f"{len(users)} users deactivated.", messages.SUCCESS)

    @admin.action(description="Remove the second factor", permissions=["second_factor"])
    def remove_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """For a lost device: the password alone suffices again, until the user sets up another one.

        One's own is removed on its page, which asks for the password.
        """
        others = [user for user in queryset if user.pk != request.user.pk]
        users = [user for user in others if device_remove(user_id=user.pk)]
        for user in users:
            self.log_change(request, user, "Removed the second factor.", outcome="second_factor")
        self.message_user(request, f"Second factor of {len(users)} users removed.", messages.SUCCESS)

    def has_second_factor_permission(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_superuser", False)) and second_factor_is_used()

    @admin.display(description="Second factor")
    def second_factor(self, user: User) -> str:
        state = state_of(user.pk)
        if state is None:
            return "none"
        return f"since {state.since:%Y-%m-%d}, {state.recovery_codes} recovery codes left"

    def _changeable(self, request: HttpRequest, queryset: QuerySet[User]) -> list[User]:
        return [user for user in queryset if self.has_change_permission(request, user)]


def _has_rights(user: User) -> bool:
    return user.is_superuser or user.effective_role == "admin"
