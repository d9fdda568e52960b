"""The URLs of this process: those of the http service where it is served, none elsewhere."""

from __future__ import annotations

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = []
if settings.SERVES_HTTP:
    urlpatterns.append(path("", include("hunarmitra_http.urls")))
    handler400 = "hunarmitra_http.errors.bad_request"
    handler403 = "hunarmitra_http.errors.permission_denied"
    handler404 = "hunarmitra_http.errors.not_found"
    handler500 = "hunarmitra_http.errors.server_error"
