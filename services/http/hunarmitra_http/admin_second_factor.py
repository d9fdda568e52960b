"""The admin's page of the second factor: staff set up an authenticator app, make recovery codes, or remove both.

Each of these needs the password again, and a code if there is a device: a browser that was left open cannot replace
the factor. While a device is being set up, its secret is in the session of the browser, on the server.
"""

from __future__ import annotations

from typing import Any

import django_otp
from django.contrib import admin
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from hunarmitra.accounts.models import User
from hunarmitra.second_factor import services
from hunarmitra.second_factor.qr_code import qr_code, svg_path
from hunarmitra.second_factor.selectors import device_of, setup_text, setup_url, state_of
from hunarmitra_http.admin_sign_in import ChangeForm, SetUpForm, say_when
from hunarmitra_http.admin_site import StaffSite, second_factor_is_used
from hunarmitra_http.devices import remember_device

_SECRET = "second_factor_secret"  # noqa: S105 - the name of a key


@sensitive_post_parameters()
@never_cache
def second_factor_page(request: HttpRequest) -> HttpResponseBase:
    if not second_factor_is_used():
        raise Http404
    site = admin.site
    assert isinstance(site, StaffSite)
    if not (site.has_permission(request) or site.may_set_up(request)):
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    assert isinstance(request.user, User)
    if device_of(request.user.pk) is None:
        return _set_up(request, request.user)
    return _change(request, request.user)


def _set_up(request: HttpRequest, user: User) -> HttpResponseBase:
    secret = request.session.setdefault(_SECRET, services.secret_generate())
    form = SetUpForm(request, secret, data=request.POST if request.method == "POST" else None)
    if form.is_valid():
        del request.session[_SECRET]
        response = _page(request, user, codes=form.recovery_codes)
        _stay_signed_in(request, response, user)
        return response
    url = setup_url(user, secret)
    modules = qr_code(url.encode())
    picture = {"path": svg_path(modules), "width": len(modules) + 8}  # with four light modules on each side
    return _page(request, user, form=form, url=url, secret=setup_text(secret), picture=picture)


def _change(request: HttpRequest, user: User) -> HttpResponseBase:
    form = ChangeForm(request, data=request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _page(request, user, form=form, state=state_of(user.pk))
    if "remove" not in request.POST:
        return _page(request, user, codes=services.recovery_codes_renew(user_id=user.pk))
    services.device_remove(user_id=user.pk)
    response = _page(request, user, removed=True)
    _stay_signed_in(request, response, user)
    return response


def _stay_signed_in(request: HttpRequest, response: HttpResponseBase, user: User) -> None:
    """All sessions of the user have ended; begin this one again."""
    user.refresh_from_db(fields=["session_epoch"])
    update_session_auth_hash(request, user)
    if (device := device_of(user.pk)) is not None:
        django_otp.login(request, device)
    remember_device(request, response, user)


def _page(request: HttpRequest, user: User, **context: Any) -> TemplateResponse:
    shown = {
        **admin.site.each_context(request),
        "title": "Second factor",
        "has_permission": True,  # shows who is signed in, and the button to sign out
        "is_nav_sidebar_enabled": admin.site.has_permission(request),
        **context,
    }
    response = TemplateResponse(request, "hunarmitra_http/admin_second_factor.html", shown)
    say_when(response, context.get("form"))
    return response
