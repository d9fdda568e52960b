"""Forms with which staff prove who they are: the admin's sign-in, and the page of the second factor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from hunarmitra.accounts.models import User
from hunarmitra.second_factor.services import DeviceExistsError, NoDeviceError, WrongCodeError, code_use, device_add
from hunarmitra.telemetry import security
from hunarmitra_http.admin_site import second_factor_is_used
from hunarmitra_http.limiters import limiter
from hunarmitra_http.metrics import rate_limited
from hunarmitra_http.signing_in import SecondFactor, SignInLimitedError, not_needed, sign_in
from hunarmitra_http.throttles import address_of, auth_limit

_INVALID: Final = (
    "Please enter the correct %(username)s and password for a staff account, and the code if you have set up a second "
    "factor. Each code works once. Note that the fields may be case-sensitive."
)


class _CodeInput(forms.TextInput):
    """A code is not shown again: most are used up by the attempt."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


def _code_field(text: str = "", *, required: bool) -> forms.CharField:
    attributes = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}
    return forms.CharField(
        label="Code", help_text=text, required=required, max_length=64, widget=_CodeInput(attrs=attributes)
    )


class _AttemptForm(forms.Form):
    """An attempt to sign in, or to prove again who is signed in, with the API's limits."""

    wait = 0
    """Seconds to wait, if a limit refused the attempt."""

    def attempt(
        self, request: HttpRequest, username: str, password: str, second_factor: SecondFactor = not_needed
    ) -> User | None:
        """Return the user, or None for wrong credentials. Raises ValidationError if a limit refuses the attempt."""
        try:
            if wait := limiter().take(auth_limit(), address_of(request)):
                rate_limited("auth")
                security.record("admin_sign_in", "limited")
                raise SignInLimitedError(wait)
            if not username or not password:
                return None
            return sign_in(
                request, username=username, password=password, event="admin_sign_in", second_factor=second_factor
            )
        except SignInLimitedError as limited:
            self.wait = max(1, math.ceil(limited.wait))
            raise forms.ValidationError(
                f"Too many attempts; try again in {self.wait} seconds.", code="throttled"
            ) from None


def say_when(response: HttpResponseBase, form: object) -> None:
    """Make the response 429 if a limit refused the attempt of the form."""
    if isinstance(form, _AttemptForm) and form.wait:
        response.status_code = 429
        response.headers["Retry-After"] = str(form.wait)


class SignInForm(_AttemptForm, AdminAuthenticationForm):
    """Sign-in form with the API's limits: otherwise passwords of staff could be guessed here.

    Name, password and code come together and have one error: a wrong code does not tell that the password was right.
    """

    code = _code_field("Of your second factor, or a recovery code. Leave empty if you have none.", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if second_factor_is_used():
            self.error_messages = {**self.error_messages, "invalid_login": _INVALID}
        else:
            del self.fields["code"]

    def clean(self) -> dict[str, Any]:
        """As Django's, with :func:`sign_in` where that only authenticates."""
        assert self.request is not None
        username, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        user = self.attempt(self.request, username or "", password or "", self._second_factor)
        if not username or not password:
            return self.cleaned_data
        if user is None:
            raise self.get_invalid_login_error()
        outcome = "accepted" if user.is_staff else "rejected"
        security.record("admin_sign_in", outcome, user_id=user.pk)
        self.confirm_login_allowed(user)
        self.user_cache = user
        return self.cleaned_data

    def _second_factor(self, user: User) -> bool:
        """Whether a code is right, or not needed. A session that begins with a code is marked as such."""
        if not second_factor_is_used():
            return True
        try:
            # django-otp puts it into the session.
            user.otp_device = code_use(user_id=user.pk, code=self.cleaned_data.get("code") or "")  # type: ignore[attr-defined]
        except NoDeviceError:
            return True  # if one is required, the next page is that which adds it
        except WrongCodeError:
            return False
        return True


class _OwnSecondFactorForm(_AttemptForm):
    """A form of the page of the second factor: it asks for the password again."""

    password = forms.CharField(
        strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}), max_length=1024
    )
    code = _code_field(required=True)

    def __init__(self, request: HttpRequest, *, data: Mapping[str, Any] | None) -> None:
        super().__init__(data)
        self._request = request

    def prove(self, error: str, second_factor: SecondFactor = not_needed) -> User:
        """Return the user whose password this is. Raises ValidationError with ``error`` for another password."""
        name = str(self._request.user.get_username())
        user = self.attempt(self._request, name, self.cleaned_data["password"], second_factor)
        if user is None:
            raise forms.ValidationError(error, code="invalid")
        return user


class SetUpForm(_OwnSecondFactorForm):
    """Add a device; ``recovery_codes`` are those to show."""

    recovery_codes: Sequence[str] = ()

    def __init__(self, request: HttpRequest, secret: str, *, data: Mapping[str, Any] | None) -> None:
        super().__init__(request, data=data)
        self.fields["code"].help_text = "The 6 digits that the app shows now."
        self._secret = secret

    def clean(self) -> dict[str, Any]:
        if self.errors:
            return self.cleaned_data
        user = self.prove("The password is wrong.")
        try:
            self.recovery_codes = device_add(user_id=user.pk, secret=self._secret, code=self.cleaned_data["code"])
        except WrongCodeError:
            problem = "This is not the code of now. Is the clock of the device right?"
            raise forms.ValidationError({"code": problem}) from None
        except DeviceExistsError:
            raise forms.ValidationError("There is a second factor already. Open this page again.") from None
        return self.cleaned_data


class ChangeForm(_OwnSecondFactorForm):
    """Prove the password and the second factor, to replace or remove the latter."""

    def __init__(self, request: HttpRequest, *, data: Mapping[str, Any] | None) -> None:
        super().__init__(request, data=data)
        self.fields["code"].help_text = "Of the app, or a recovery code."

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            self.prove("The password or the code is wrong. Each code works once.", self._is_right)
        return self.cleaned_data

    def _is_right(self, user: User) -> bool:
        try:
            code_use(user_id=user.pk, code=self.cleaned_data["code"])
        except (WrongCodeError, NoDeviceError):
            return False
        return True
