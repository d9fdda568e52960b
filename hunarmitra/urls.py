"""The URLs of this process: those of the http service where it is served, none elsewhere."""

from __future__ import annotations

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = []
if settings.SERVES_HTTP:
    urlpatterns.append(path("", include("hunarmitra_http.urls")))
