"""What staff do in the admin: an entry of Django's log, which the history of an object shows, and a security event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.http import HttpRequest

from hunarmitra.telemetry import security


class LoggedMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A model of the admin whose changes are security events too."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        _record(request, "add", obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any, *, outcome: str = "change") -> LogEntry:
        _record(request, outcome, obj)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Any]) -> Any:
        objects = list(queryset)
        for obj in objects:
            _record(request, "delete", obj)
        return super().log_deletions(request, objects)  # type: ignore[arg-type]


def _record(request: HttpRequest, outcome: str, target: Model) -> None:
    staff = request.user.pk
    assert isinstance(staff, UUID)
    kind = str(target._meta.model_name)
    security.record("staff_action", outcome, user_id=staff, target=kind, target_id=str(target.pk))
