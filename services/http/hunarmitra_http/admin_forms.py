"""Forms of the admin for users, whose passwords change through the service.

Django's own forms save the whole row, and would overwrite a newer ``notification_seq`` with an older one.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.forms import AdminPasswordChangeForm as AdminOwnPasswordChangeForm
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm, UserChangeForm

from hunarmitra.accounts.models import User
from hunarmitra.accounts.services import user_set_password


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
