"""Django's admin with our site. In a module of its own: ``apps`` has the one configuration that Django finds there."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    default = False
    default_site = "hunarmitra_http.admin_site.StaffSite"
