"""The page, and what only the demo on one's own machine has."""

from __future__ import annotations

from django.urls import URLPattern, path

from hunarmitra_http.page.views import DemoPeopleView, PageView

urlpatterns: list[URLPattern] = [
    path("", PageView.as_view(), name="page"),
    path("demo/people/", DemoPeopleView.as_view(), name="demo-people"),
]
