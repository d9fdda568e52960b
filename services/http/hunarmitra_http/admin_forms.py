"""Forms of the admin: sign-in with the API's limits, and users, whose passwords change through the service.

Django's own forms save the whole row, and would overwrite a newer ``notification_seq`` with an older one.
"""

from __future__ import annotations

import math
from typing import Any

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.admin.forms import AdminPasswordChangeForm as AdminOwnPasswordChangeForm
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm, UserChangeForm

from hunarmitra.accounts.models import User
from hunarmitra.accounts.services import user_set_password
from hunarmitra.telemetry import security
from hunarmitra_http.limiters import limiter
from hunarmitra_http.metrics import rate_limited
from hunarmitra_http.signing_in import SignInLimitedError, sign_in
from hunarmitra_http.throttles import address_of, auth_limit


class SignInForm(AdminAuthenticationForm):
    """Sign-in form with the API's limits: otherwise passwords of staff could be guessed here."""

    wait = 0
    """Seconds to wait, if a limit refused the attempt."""

    def clean(self) -> dict[str, Any]:
        """As Django's, with :func:`sign_in` where that only authenticates."""
        try:
            self._sign_in()
        except SignInLimitedError as limited:
            self.wait = max(1, math.ceil(limited.wait))
            raise forms.ValidationError(
                f"Too many attempts; try again in {self.wait} seconds.", code="throttled"
            ) from None
        return self.cleaned_data

    def _sign_in(self) -> None:
        assert self.request is not None
        if wait := limiter().take(auth_limit(), address_of(self.request)):
            rate_limited("auth")
            security.record("admin_sign_in", "limited")
            raise SignInLimitedError(wait)
        username, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not username or not password:
            return
        user = sign_in(self.request, username=username, password=password, event="admin_sign_in")
        if user is None:
            raise self.get_invalid_login_error()
        outcome = "accepted" if user.is_staff else "rejected"
        security.record("admin_sign_in", outcome, user_id=user.pk)
        self.confirm_login_allowed(user)
        self.user_cache = user


class _PasswordThroughService(forms.Form):
    """Mixin for Django's password forms. A changed password signs the user out everywhere."""

    def set_password_and_save(
        self,
        user: User,
        password_field_name: str = "password1",  # noqa: S107 - a field's name
        commit: bool = True,
    ) -> User:
        # Django's form for another user's password can also disable the password.
        keeps_password = self.cleaned_data.get("set_usable_password", True)
        user_set_password(user_id=user.pk, password=self.cleaned_data[password_field_name] if keeps_password else None)
        user.refresh_from_db(fields=["password", "session_epoch"])
        return user


class PasswordOfOtherForm(_PasswordThroughService, AdminPasswordChangeForm):  # type: ignore[type-arg]
    pass


class OwnPasswordForm(_PasswordThroughService, AdminOwnPasswordChangeForm):
    pass


class NewUserForm(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("username", "name", "role")


class UserForm(UserChangeForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields: Any = "__all__"
